"""Reads the text of a page from its bytes. Takes time linear in the bytes, or seconds for a PDF."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from urllib.parse import urljoin

from tools.research.verification.limits import MAX_HEAD_CHARS, MAX_TITLE_CHARS
from tools.research.verification.pdf_worker import NoPdfText, pdf_text
from tools.text.unsafe_characters import sanitize
from tools.web_addresses.parsing import split_address

_HIDDEN = ("script", "style", "noscript", "template", "svg")
_MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)"
    rf"|<(?P<hidden>{'|'.join(_HIDDEN)})\b[^>]*(?:>.*?(?:</(?P=hidden)\b[^>]*(?:>|\Z)|\Z)|\Z)"
    r"|<(?P<end>/?)(?P<name>[a-z][^\s/>]*+)[^>]*(?:>|\Z)"
    r"|<[!?][^>]*(?:>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
"""Matches comments, elements whose content is not shown, and tags. An unclosed one goes to the end of the page."""
_INLINE = re.compile(
    "a|abbr|acronym|b|bd[io]|big|cite|code|data|del|dfn|em|font|i|ins|kbd|label|mark|q|s|samp|small|span|strike|strong"
    "|sub|sup|time|tt|u|var|wbr"
)
"""Elements that do not end a line. In a table row, cells are separated by a space."""
_CELLS = ("td", "th")
_TITLE = re.compile(r"<title\b[^<>]*>([^<]*)", re.IGNORECASE)
_LINK = re.compile(r"<link\b[^<>]*>", re.IGNORECASE)
_CANONICAL = re.compile(r"""\brel\s*=\s*["']?canonical\b""", re.IGNORECASE)
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_KNOWN_CHARSETS = re.compile(
    r"(?:iso-?8859|iso-2022|latin|windows|cp|koi8|gb|big5|hz|euc|shift|s-?jis|ks_c|mac|tis|utf-?16|utf-?32|x-)[\w-]*",
    re.IGNORECASE,
)
_LONG_REFERENCE = re.compile(r"&#\w{9,}")
"""References to characters that do not exist. Python refuses to read very long numbers."""


@dataclass(frozen=True)
class PageText:
    """The text of a page, with its title. `text` has a line feed after each block."""

    text: str
    title: str = ""
    canonical: str = ""
    """The page's own address, as its `rel=canonical` says; empty if it has none."""


class NoText(Exception):
    """A page whose text cannot be read. The message says why, in a phrase."""


def page_text(data: bytes, content_type: str, url: str) -> PageText:
    """Reads a page.

    Args:
        data: its first bytes, or all.
        content_type: the header of that name.
        url: its address.

    Raises:
        NoText: it is neither HTML nor plain text nor a PDF that can be read.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/pdf" or data.startswith(b"%PDF-"):
        try:
            pdf_title, pdf_lines = pdf_text(data)
        except NoPdfText as error:
            raise NoText(str(error)) from None
        return PageText(unwrapped(sanitize(pdf_lines)), " ".join(sanitize(pdf_title).split())[:MAX_TITLE_CHARS])
    if kind and not kind.startswith("text/") and "html" not in kind and "xml" not in kind:
        raise NoText(f"it is {kind[:60]}, not text")
    text = sanitize(_decoded(data, content_type))
    if kind in ("text/plain", "text/markdown") or (not kind and "<" not in text[:1_000]):
        return PageText(unwrapped(text))
    head = text[:MAX_HEAD_CHARS]
    title = _TITLE.search(head)
    return PageText(
        _shown(text),
        " ".join(_unescaped(title[1]).split())[:MAX_TITLE_CHARS] if title else "",
        next((found for link in _LINK.finditer(head) if (found := _canonical(link[0], url))), ""),
    )


def unwrapped(text: str) -> str:
    """Joins the lines of each paragraph, and words that are divided at the end of a line."""
    text = re.sub(r"(?<=[^\W\d_])-\r?\n(?=[^\W\d_])", "", text)
    return re.sub(r"(?<=\S)[ \t\r]?\n(?=[ \t]*\S)", " ", text)


def _decoded(data: bytes, content_type: str) -> str:
    """Decodes a page as UTF-8 if it is valid UTF-8; else in the encoding that it names, else as Windows-1252.

    A text of another character set is never valid UTF-8 by accident, unless it is ASCII.
    """
    named = _CHARSET.search(content_type) or _CHARSET.search(data[:4_000].decode("latin-1"))
    charset = named[1].lower() if named else ""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        charset = "utf-16"
    if not charset.startswith(("utf-16", "utf16", "utf-32", "utf32", "iso-2022", "hz")):
        for end in range(4):  # the last character may be cut
            try:
                return data[: len(data) - end].decode("utf-8-sig")
            except UnicodeDecodeError as error:
                if error.start < len(data) - 4:
                    break
    if not _KNOWN_CHARSETS.fullmatch(charset) or charset in ("iso-8859-1", "latin1", "latin-1"):
        charset = "windows-1252"  # as browsers do
    try:
        return data.decode(charset, "replace")
    except LookupError:
        return data.decode("windows-1252", "replace")


def _shown(text: str) -> str:
    """The text of a page without tags, scripts and, if they are closed, menus."""
    everything, without_menus = list[str](), list[str]()
    depth = position = 0
    for tag in _MARKUP.finditer(text):
        name = (tag["name"] or "").lower()
        space = "" if not name or _INLINE.fullmatch(name) else "\n"
        if tag["hidden"] or name in _CELLS:
            space = " "
        piece = text[position : tag.start()].replace("\n", " ") + space
        everything.append(piece)
        if not depth:
            without_menus.append(piece)
        if name == "nav":
            depth = max(0, depth + (-1 if tag["end"] else 1))
        position = tag.end()
    rest = text[position:].replace("\n", " ")
    return _unescaped("".join([*everything, rest] if depth else [*without_menus, rest]))


def _unescaped(text: str) -> str:
    return html.unescape(_LONG_REFERENCE.sub(" ", text))


def _canonical(link: str, url: str) -> str:
    href = _HREF.search(link)
    if not _CANONICAL.search(link) or not href:
        return ""
    try:
        named = _unescaped(href[1] or href[2] or href[3]).strip()
        split_address(named)
        return urljoin(url, named)
    except ValueError:
        return ""
