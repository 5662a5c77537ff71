"""Divides a report into pages, for readers that take only so much text at a time.

All functions are pure, and take time in proportion to the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools.interactions.citation_marks import Source, plain_marks
from tools.mcp_server.limits import MAX_PAGE_BYTES, MAX_SHOWN_TITLE_CHARS, MAX_SHOWN_URL_CHARS, MAX_SOURCES_BYTES
from tools.mcp_server.markdown_blocks import CITATION, blocks
from tools.research.report.markdown_rendering import inert
from tools.research.report.report import Report

_ENDINGS = tuple(map(re.compile, (r"\n", r"[.!?] |[。！？]", r" |[、，]")))
"""Match where a block that is too long is divided: after a line, else after a sentence, else after a word."""


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


def paginate(text: str, sources: Sequence[Source] = ()) -> tuple[Page, ...]:
    """Divides a text into pages, between paragraphs where possible; returns at least one page.

    Args:
        sources: the sources of the whole report; each page gets those that it cites.
    """
    lines = {source.number: _source_line(source) for source in sources}
    pages, pieces, cited = list[Page](), list[str](), set[int]()
    text_size = sources_size = 0
    for _, block in blocks(text):
        for piece in _pieces(block):
            more = {number for number in map(int, CITATION.findall(piece)) if number in lines}
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
    for _, block in blocks(text):
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
    url = (
        source.url
        if len(source.url) <= MAX_SHOWN_URL_CHARS
        else f"{source.url[:MAX_SHOWN_URL_CHARS]}… (too long to show)"
    )
    return " ".join(f"[{source.number}] {source.title[:MAX_SHOWN_TITLE_CHARS]} {url}".split())


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
