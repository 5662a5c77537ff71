"""Divides marked-up documents into passages of plain prose that can be quoted."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Literal, NamedTuple

from interactions_emulator.corpus.words import is_mark, sentences, word_set

Markup = Literal["markdown", "rst", "html", "plain", "pdf", "csv"]
"""The format of a text. "pdf" is plain text with a form feed before each page and a \\x02 on each side of a heading."""
MARKED_UP = ("markdown", "rst")
MAX_INLINE_CHARS = 2_000
"""Maximum characters searched for inline marks at once. The time grows with the square of the length, so longer
texts are divided."""
_PIECE = re.compile(rf".{{1,{MAX_INLINE_CHARS - 1}}}(?:\s|$)|.{{1,{MAX_INLINE_CHARS - 1}}}", re.DOTALL)
MAX_PASSAGE_CHARS = 900
"""Maximum characters of a passage. Longer paragraphs are divided between sentences; a longer sentence stays whole."""


class Paragraph(NamedTuple):
    """A passage of a document, with its heading ("" before the first one) and its page (0 if there are no pages)."""

    heading: str
    text: str
    page: int = 0


def paragraphs(source: str, markup: Markup) -> list[Paragraph]:
    """The prose paragraphs of a document in order, without code, tables, badges, comments and link addresses."""
    if markup == "csv":
        return []
    source = source.replace("\r\n", "\n").replace("\x00", "")
    if markup == "html":
        source, markup = _from_html(source), "plain"
    found: list[Paragraph] = []
    for page, heading, block in _blocks(source, markup):
        text = inline(block) if markup in MARKED_UP else _collapse(block)
        if _is_prose(text) and not _VERSION.fullmatch(heading):
            found += [Paragraph(heading, part, page) for part in _split_long(text)]
    return found


def title_of(source: str, markup: Markup) -> str:
    """The document's title: its <title>, else its first heading, else ""."""
    if markup == "csv":
        return ""
    if markup == "html":
        title = re.search(r"<title[^>]*>(.*?)</title>", source, re.DOTALL | re.IGNORECASE)
        if title:
            return _collapse(html.unescape(title[1]))
        source = _from_html(source)
    lines = (line for line in source[:20_000].splitlines())
    previous = ""
    for line in lines:
        if markup in MARKED_UP and (match := re.match(r"#{1,6}\s+(.+?)\s*#*$", line)):
            return inline(match[1])
        if _is_underline(line) and previous.strip():
            return inline(previous)
        if (match := re.match(_HTML_HEADING, line)) and markup == "html":
            return match[1].strip()
        previous = line
    return ""


_HTML_HEADING = r"\x02(.+)\x02$"
_LIST_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)]|#\.|\([a-z0-9]\))\s+")
_FENCE = re.compile(r"\s*(```|~~~)")


def heading_at(line: str, following: str, underlined: bool = False) -> str:
    """The text of a heading; "" if `line` is not a heading.

    `following` is the next line, which may underline the heading. With `underlined`, only underlined headings count, as
    in RST.
    """
    stripped = line.strip()
    if not underlined and (match := re.match(r"#{1,6}\s+(.+?)\s*#*$", stripped)):
        return inline(match[1]).rstrip(":")
    if not stripped or len(stripped) >= 100 or "|" in line or _is_underline(line) or not _is_underline(following):
        return ""
    return inline(stripped).rstrip(":")


def _is_underline(line: str) -> bool:
    return bool(re.fullmatch(r"\s*([=\-~^\"'*+#`:.])\1{2,}\s*", line))


def _blocks(source: str, markup: Markup) -> Iterator[tuple[int, str, str]]:
    """Yields (page, heading, text of a paragraph or list item) in order."""
    source = re.sub(r"<!--.*?-->", "", source, flags=re.DOTALL)
    if markup == "markdown":
        source = re.sub(r"\A---\n.*?\n---\n", "", source, flags=re.DOTALL)
        source = re.sub(r"(?i)</?(?:p|div|br|center|h\d|li|ul|ol|details|summary|table|tr)\b[^>]*>", "\n", source)
    page, heading, block, fence, directive = 0, "", list[str](), "", -1
    lines = [*source.split("\n"), ""]
    for number, line in enumerate(lines):
        stripped = line.strip()
        indent = len(line) - len(line.lstrip())
        following = lines[number + 1] if number + 1 < len(lines) else ""
        title = ""
        if match := _FENCE.match(line):
            fence = "" if fence == match[1] else fence or match[1]
        elif fence or (directive >= 0 and (not stripped or indent > directive)):
            continue
        elif (match := re.match(_HTML_HEADING, line)) or (
            markup == "markdown" and (match := re.match(r"#{1,6}\s+(.+?)\s*#*$", stripped))
        ):
            title = match[1]
        elif stripped and not _is_underline(line) and _is_underline(following) and len(stripped) < 100 and not block:
            title = stripped
        elif _is_underline(line) or not stripped or stripped.startswith("|") or line.startswith(">>>"):
            pass
        else:
            directive = -1
            if markup in MARKED_UP and stripped.startswith(".. "):
                directive = indent
            elif not block and indent >= 4 and not _LIST_ITEM.match(line) and markup == "markdown":
                continue
            else:
                if _LIST_ITEM.match(line) and block:
                    yield page, heading, "\n".join(block)
                    block = []
                item = _LIST_ITEM.match(line)
                block.append(line[item.end() :] if item else line)
                if not (stripped.endswith("::") and not following.strip()):
                    continue
                block[-1] = block[-1].rstrip()[:-1]  # `text::` introduces an example: keep one colon
                directive = indent
        if block:
            yield page, heading, "\n".join(block)
            block = []
        page += markup == "pdf" and line == "\f"
        if title:
            heading = inline(title).rstrip(":") if markup in MARKED_UP else _collapse(title).rstrip(":")


def inline(text: str) -> str:
    """The text of a paragraph without the inline marks of Markdown, RST and HTML."""
    if len(text) > MAX_INLINE_CHARS:
        return " ".join(map(inline, _PIECE.findall(text)))
    text = _collapse(text.replace("\x03", ""))
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)|!\[[^\]]*\]\[[^\]]*\]", "", text)
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)|\[([^\]]+)\]\[[^\]]*\]", lambda m: m[1] or m[2], text)
    text = re.sub(r":[a-z:+-]+:`([^`<]*?)\s*(?:<[^`]*>)?`", lambda m: m[1].lstrip("~."), text)
    text = re.sub(r"`([^`<]+?)\s*<[^`>]*>`_{1,2}", r"\1", text)
    code: list[str] = []

    def put_aside(span: re.Match[str]) -> str:
        code.append(span[1] or span[2])
        return f"\x03{len(code) - 1}\x03"

    text = re.sub(r"``([^`]+)``|`([^`]+)`_{0,2}", put_aside, text)
    text = re.sub(r"<https?://[^>]+>|</?[a-zA-Z][^<>]*>", "", text)
    text = re.sub(r"\*\*(.+?)\*\*|(?<![\w*])\*(\S(?:[^*]*\S)?)\*(?![\w*])", lambda m: m[1] or m[2], text)
    text = re.sub(r"(?<!\w)(_{1,2})([^\W_][^_]* [^_]*[^\s_]|[^\W_]+(?=_\W))\1(?!\w)", r"\2", text)
    text = re.sub(r"\\([\\`*_{}\[\]()#+.!|<>-])", r"\1", text)
    text = re.sub(r"(?<!\S)(?:\(\s*\)|\[\s*\])", "", html.unescape(text))
    text = re.sub(r"\s+([,.;])(?=\s|$)", r"\1", _collapse(text))
    return re.sub(r"\x03(\d+)\x03", lambda m: code[int(m[1])].strip(), text)


def _collapse(text: str) -> str:
    return " ".join(text.split())


_ASCII_SIGN = re.compile(r"[^A-Za-z\s]")


def _is_prose(text: str) -> bool:
    """Whether a text is prose: at least 20 characters (10 in scripts without spaces), mostly letters, no code."""
    if text.isascii():  # most texts are, and counting their characters one by one is slow
        letters, wide = len(text) - len(_ASCII_SIGN.findall(text)), 0
    else:
        letters = sum(c.isalpha() or c.isspace() or is_mark(c) for c in text)
        wide = sum(c > "\u2e7f" for c in text)
    if len(text) < (10 if wide > len(text) / 2 else 20) or letters < 0.75 * len(text):
        return False
    return not _CODE.search(text)


_VERSION = re.compile(
    r"(?i)(?:v|version |release )?\d+\.\d+[\w.]*\s*(?:[-–(].*\d{4}.*)?|changelog|change ?log|release notes|licen[sc]e"
)
_CODE = re.compile(
    r"::=|\)\s*->|[{}]|>>>|\w\s?=\s?\w+(?:\.\w+)*\(|\w\(\w+=|==|!=|&&"
    r"|^(?:[$#@<%]|from \w+ import|import \w+$|def |class \w+[(:]|pip install|(?:async )?with .*:$)"
)


def _split_long(text: str) -> Iterator[str]:
    if len(text) <= MAX_PASSAGE_CHARS:
        yield text
        return
    part = ""
    for sentence in sentences(text):
        if part and len(part) + len(sentence) > MAX_PASSAGE_CHARS:
            yield part
            part = ""
        part = f"{part} {sentence}" if part else sentence
    yield part


def _from_html(source: str) -> str:
    reader = _Reader()
    reader.feed(source)
    reader.close()
    return "".join(reader.pieces)


class _Reader(HTMLParser):
    """Extracts a page's text. Empty lines separate paragraphs; a heading is a line with a \\x02 on each side."""

    LEFT_OUT = word_set("""
    script style pre table nav header footer aside form button svg head template noscript select
""")
    BLOCKS = word_set("""
    p div li ul ol section article main blockquote dd dt dl figcaption br hr h1 h2 h3 h4 h5 h6
""")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._left_out: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.LEFT_OUT:
            self._left_out.append(tag)
        elif tag in self.BLOCKS:
            self.pieces.append("\n\n\x02" if tag[0] == "h" and tag != "hr" else "\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._left_out:
            del self._left_out[self._left_out.index(tag) :]
        elif tag in self.BLOCKS:
            self.pieces.append("\x02\n\n" if tag[0] == "h" and tag != "hr" else "\n\n")

    def handle_data(self, data: str) -> None:
        if not self._left_out:
            self.pieces.append(" ".join(data.split("\n")))
