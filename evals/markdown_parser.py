"""Parses an answer in Markdown into sentences, citation marks and the list of sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tools.interactions.citation_marks import Source

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_FIRST_MARK = 0xE000  # each mark becomes one private-use character while the text is split into sentences
_MARK = "[\ue000-\uf8ff]"
_SENTENCE = re.compile(
    rf"""\S.*?(?: [.!?…]+["”’)\]]*(?:\s?{_MARK})* (?=\s+[^a-z\s]|\s*$) | [。！？]+[”」]?{_MARK}* | $ )""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"\[(\d{1,4})\]")


@dataclass(frozen=True)
class Mark:
    """A number in the text that refers to a source."""

    number: int
    url: str
    """The link of the mark; empty if it has none."""
    within_word: bool = False
    """Whether the mark is between two letters, where no citation belongs."""


@dataclass(frozen=True)
class Sentence:
    """A sentence of the prose, or a row of a table, without its marks."""

    text: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Prose:
    """A parsed answer. Headings, code and the list of sources do not count as sentences."""

    sentences: tuple[Sentence, ...]
    marks: tuple[Mark, ...]
    """All marks, including marks in tables."""
    sources: tuple[Source, ...]
    headings: tuple[tuple[int, str], ...]
    """The level (from 1) and the text of each heading."""
    tables: int
    points: int
    """Number of list items."""

    @property
    def claims(self) -> tuple[Sentence, ...]:
        """Sentences of four words or more that state something: no questions, no introductions that end in a colon."""
        return tuple(
            s for s in self.sentences if not s.text.endswith((":", "?", "：", "？")) and _word_count(s.text) >= 4
        )


def read_prose(text: str) -> Prose:
    """Parses an answer. The list of sources begins at the last heading "Sources" and ends with the answer."""
    tokens = _MARKDOWN.parse(text)
    at = next((i for i in reversed(range(len(tokens))) if _is_sources(tokens, i)), len(tokens))
    sentences: list[Sentence] = []
    marks: list[Mark] = []
    row: list[tuple[str, list[Mark]]] = []
    for i, token in enumerate(tokens[:at]):
        if token.type == "inline":
            written, found = _text_and_marks(token)
            marks += found
            if tokens[i - 1].type == "paragraph_open":
                sentences += _sentences(written, found)
            elif tokens[i - 1].type == "td_open":
                row.append((written, found))
        elif token.type == "tr_close" and row:
            cells = " | ".join(re.sub(_MARK, "", text) for text, _ in row)
            sentences.append(Sentence(cells, tuple(mark for _, found in row for mark in found)))
            row = []
    return Prose(
        tuple(sentences),
        tuple(marks),
        tuple(_sources(tokens[at + 3 :])),
        tuple(
            (int(tokens[i - 1].tag[1:]), token.content)
            for i, token in enumerate(tokens)
            if token.type == "inline" and tokens[i - 1].type == "heading_open"
        ),
        sum(token.type == "table_open" for token in tokens[:at]),
        sum(token.type == "list_item_open" for token in tokens[:at]),
    )


def _is_sources(tokens: Sequence[Token], i: int) -> bool:
    """Whether a heading or a paragraph consists of the word "Sources" only, bold or not."""
    if tokens[i].type not in ("heading_open", "paragraph_open") or i + 1 >= len(tokens):
        return False
    return re.fullmatch(r"(\*\*)?Sources:?(\*\*)?", tokens[i + 1].content.strip()) is not None


def _sources(tokens: Sequence[Token]) -> list[Source]:
    found: list[Source] = []
    number = 0
    for i, token in enumerate(tokens):
        if token.type == "list_item_open":
            number = int(token.info) if token.info.isdigit() else number + 1
        elif token.type == "inline" and tokens[i - 2].type == "list_item_open":
            link = next((child for child in token.children or () if child.type == "link_open"), None)
            title = "".join(child.content for child in token.children or () if child.type in ("text", "text_special"))
            found.append(Source(number, title, str(link.attrGet("href")) if link else ""))
        elif token.type == "ordered_list_close":
            break
    return found


def _text_and_marks(token: Token) -> tuple[str, list[Mark]]:
    """The text of a block, with each mark replaced by one character, and the marks."""
    text, marks, url = "", list[Mark](), None
    for child in token.children or ():
        if child.type == "link_open":
            url = str(child.attrGet("href") or "")
        elif child.type == "link_close":
            url = None
        elif child.type in ("softbreak", "hardbreak"):
            text += " "
        elif child.type == "code_inline":
            text += child.content
        elif child.type in ("text", "text_special"):
            at = 0
            for match in _NUMBER.finditer(child.content):
                if url is None and not _is_mark(child.content, match):
                    continue
                text += child.content[at : match.start()] + chr(_FIRST_MARK + len(marks))
                marks.append(Mark(int(match[1]), url or ""))
                at = match.end()
            text += child.content[at:]
    return text, [_with_position(mark, text, chr(_FIRST_MARK + i)) for i, mark in enumerate(marks)]


def _is_mark(text: str, match: re.Match[str]) -> bool:
    """Whether a number in brackets without a link is a mark, and not an index such as a[0]."""
    return int(match[1]) > 0 and not re.match(r"[A-Za-z_]", text[match.end() : match.end() + 1] or " ")


def _with_position(mark: Mark, text: str, character: str) -> Mark:
    around = re.search(rf"[A-Za-z]{_MARK}*{character}{_MARK}*[A-Za-z]", text)
    return Mark(mark.number, mark.url, within_word=around is not None)


def _sentences(text: str, marks: Sequence[Mark]) -> list[Sentence]:
    return [
        Sentence(
            re.sub(rf"\s*{_MARK}", "", match[0]).strip(),
            tuple(marks[ord(character) - _FIRST_MARK] for character in re.findall(_MARK, match[0])),
        )
        for match in _SENTENCE.finditer(text)
    ]


def _word_count(text: str) -> int:
    """The number of words; two Chinese, Japanese or Korean characters count as one."""
    wide = len(re.findall(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]", text))
    return wide // 2 + len(re.findall(r"[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+", text))
