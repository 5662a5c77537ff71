"""Divides a report into parts for readers that take only so much text at a time: an outline, sections and pages.

All functions are pure, and take time in proportion to the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tools.interactions.citation_marks import Source, plain_marks
from tools.research.report.markdown_rendering import inert
from tools.research.report.report import Report

MAX_PAGE_BYTES = 14_000
"""Maximum UTF-8 bytes of a page's text. A token is rarely shorter than two bytes, also in Chinese or Japanese."""
MAX_SOURCES_BYTES = 8_000
"""Maximum UTF-8 bytes of a page's list of sources."""
MAX_TITLE_CHARS, MAX_URL_CHARS = 200, 1_000
"""Maximum characters of a title, and of an address, in a list of sources."""
_FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+([^\n]*)")
_CLOSING = re.compile(r"[ \t]+#*[ \t]*$")
"""Matches the closing sequence of a heading."""
_NUMBER = re.compile(r"\[(\d{1,4})\](?!\()")
"""Matches a citation's number, as `plain_marks` writes it."""
_ENDINGS = tuple(map(re.compile, (r"\n", r"[.!?] |[。！？]", r" |[、，]")))
"""Match where a block that is too long is divided: after a line, else after a sentence, else after a word."""


@dataclass(frozen=True)
class Section:
    """A section of a report: its heading, and the text up to the next heading of its level or above."""

    number: int
    """Counted from 1, in the order of the text."""
    level: int
    title: str
    start: int
    end: int
    """Its place in the text: `text[start:end]`."""


@dataclass(frozen=True)
class Page:
    """A page, and one line for each source that it cites."""

    text: str
    sources: tuple[str, ...]


def readable_text(report: Report, pictures: str) -> str:
    """Returns a report's text for a reader of Markdown: citations as `[1]`, and no pictures that load automatically.

    Args:
        pictures: base address of the report's pictures; each becomes a link.
    """
    text = report.text
    for picture in report.pictures:
        text = text.replace(picture.mark, f"[{picture.name}]({pictures}{picture.name})")
    return inert(plain_marks(text, report.sources)).strip("\n")


def sections(text: str) -> tuple[Section, ...]:
    """Returns the sections of a Markdown text. A line in a code block is never a heading."""
    found, open_ = list[Section](), list[int]()
    for start, block in _blocks(text):
        if heading := _HEADING.match(block.partition("\n")[0]):
            level = len(heading[1])
            while open_ and found[open_[-1]].level >= level:
                index = open_.pop()
                found[index] = replace(found[index], end=start)
            open_.append(len(found))
            title = _CLOSING.sub("", _NUMBER.sub("", heading[2])).strip(" \t*_")
            found.append(Section(len(found) + 1, level, title or "(no title)", start, len(text)))
    return tuple(found)


def find_section(found: Sequence[Section], wanted: str) -> Section | None:
    """Returns the section with a number or a name; a part of the name is enough if only one section has it."""
    name = wanted.strip().casefold()
    for each in found:
        if name in (str(each.number), each.title.casefold()):
            return each
    similar = [each for each in found if name and name in each.title.casefold()]
    return similar[0] if len(similar) == 1 else None


def outline(found: Sequence[Section]) -> str:
    """Formats sections as a numbered list, indented by level, with their lengths."""
    highest = min((each.level for each in found), default=1)
    lines = []
    for each in found:
        indent, length = "  " * (each.level - highest), each.end - each.start
        lines.append(f"{indent}{each.number}. {each.title[:MAX_TITLE_CHARS]} ({length:,} characters)")
    return "\n".join(lines)


def paginate(text: str, sources: Sequence[Source] = ()) -> tuple[Page, ...]:
    """Divides a text into pages, between paragraphs where possible; returns at least one page.

    Args:
        sources: the sources of the whole report; each page gets those that it cites.
    """
    lines = {source.number: _source_line(source) for source in sources}
    pages, pieces, cited = list[Page](), list[str](), set[int]()
    text_size = sources_size = 0
    for _, block in _blocks(text):
        for piece in _pieces(block):
            more = {number for number in map(int, _NUMBER.findall(piece)) if number in lines}
            size, added = _size(piece), sum(_size(lines[number]) for number in more - cited)
            if pieces and (text_size + size > MAX_PAGE_BYTES or sources_size + added > MAX_SOURCES_BYTES):
                pages.append(_page(pieces, cited, lines))
                pieces, cited, text_size, sources_size = [], set(), 0, 0
            pieces.append(piece)
            text_size += size
            sources_size += sum(_size(lines[number]) for number in more - cited)
            cited |= more
    return (*pages, _page(pieces, cited, lines)) if pieces or not pages else tuple(pages)


def opening(text: str, max_bytes: int) -> str:
    """Returns the first paragraphs of a text."""
    shown = ""
    for _, block in _blocks(text):
        if shown and _size(shown + block) > max_bytes:
            break
        shown += next(_pieces(block, max_bytes))
    return shown.strip("\n")


def _page(pieces: Sequence[str], cited: set[int], lines: Mapping[int, str]) -> Page:
    """Builds a page. Sources beyond `MAX_SOURCES_BYTES` are counted only: a single paragraph cites too many."""
    shown, left, size = list[str](), 0, 0
    for number in sorted(cited):
        size += _size(lines[number])
        if size <= MAX_SOURCES_BYTES:
            shown.append(lines[number])
        else:
            left += 1
    if left:
        shown.append(f"… and {left} more, which the whole report lists")
    return Page("".join(pieces).strip("\n"), tuple(shown))


def _source_line(source: Source) -> str:
    url = source.url if len(source.url) <= MAX_URL_CHARS else f"{source.url[:MAX_URL_CHARS]}… (too long to show)"
    return " ".join(f"[{source.number}] {source.title[:MAX_TITLE_CHARS]} {url}".split())


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yields the start and the text of each paragraph, heading, list or code block, with the blank lines after it."""
    start = position = 0
    fence, blank = "", False
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if not fence and position > start and (blank or _HEADING.match(line)):
            yield start, text[start:position]
            start = position
        if fence and mark and mark[1].startswith(fence):
            fence = ""
        elif not fence and mark:
            fence = mark[1]
        blank = not line.strip()
        position += len(line)
    if position > start:
        yield start, text[start:position]


def _pieces(block: str, max_bytes: int = MAX_PAGE_BYTES // 2) -> Iterator[str]:
    """Yields a block in pieces that are not too long, cut at the end of a line, a sentence or a word if possible."""
    data = block.encode()
    position = 0
    while position < len(data):
        piece = data[position : position + max_bytes].decode(errors="ignore")
        if position + max_bytes < len(data):
            half = len(piece) // 2
            ends = (max((found.end() for found in ending.finditer(piece, half)), default=0) for ending in _ENDINGS)
            piece = piece[: next(filter(None, ends), len(piece))]
        yield piece
        position += len(piece.encode())


def _size(text: str) -> int:
    return len(text.encode())
