"""Reads the citations of a text, numbers the cited sources, and writes marks of them into the text.

All functions take time linear in the text: no pattern scans the same text from several start positions.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from tools.interactions.citation_marks import Source, mark_of
from tools.text.markdown import CODE_BLOCK
from tools.text.unsafe_characters import sanitized_text, without_direction_marks


@dataclass(frozen=True)
class Citation:
    """A source cited for the passage that ends before byte `end` of the UTF-8 text; `end` is None if it is unknown."""

    title: str
    url: str
    end: int | None


OWN_NUMBERS = r"(?:(?<![ \t])[ \t]*+\[(?:\d{1,3}(?:, ?\d{1,3})*+|cite: *+\d++(?:, *+\d++)*+)\](?![(:]))+"
"""Matches citation numbers that Deep Research itself writes: " [1]", "[1, 2]", "[cite: 1, 2]", or several in a row."""

_OWN_NUMBERS_AFTER = re.compile(rf"[.,;:!?。]?(?P<numbers>{OWN_NUMBERS})")
_INLINE = re.compile(
    r"(?<!`)(`++)[^`\n]++\1(?!`)"  # code
    r"|!?\[[^\[\]\n]*+\]\((?:[^()\n]|\([^()\n]*+\))*+\)"  # links and pictures
)
"""Matches code, links and pictures: a mark inside them would not be rendered as a link."""
_BLOCK = re.compile(
    rf"{CODE_BLOCK}"
    r"|^[ \t|:=*_-]+$",  # a line that only structures a table, a heading or a page
    re.MULTILINE | re.DOTALL,
)
_KEYS = {
    "url_citation": ("title", "url"),
    "file_citation": ("file_name", "document_uri"),
    "place_citation": ("name", "url"),
}


def read_citations(annotations: Iterable[Mapping[str, Any]], base: int = 0, size: int | None = None) -> list[Citation]:
    """Reads the citations in the annotations of a text part that begins at byte `base` of the text.

    Skips other annotations, and citations with neither a title nor an address. `size` is the part's length in bytes; a
    larger offset is reduced to it.
    """
    citations = []
    for annotation in annotations:
        if keys := _KEYS.get(str(annotation.get("type"))):
            title, url = (
                " ".join(without_direction_marks(sanitized_text(annotation.get(key))).split()) for key in keys
            )
            end = annotation.get("end_index")
            if type(end) is not int or end <= 0:
                end = None
            elif size is not None:
                end = min(end, size)
            if title or url:
                citations.append(Citation(title, url, None if end is None else base + end))
    return citations


def cite(text: str, citations: Iterable[Citation]) -> tuple[str, tuple[Source, ...]]:
    """Returns the text with marks like `[\\[1\\]](url "Title")`, and the sources in the order of their first mark.

    A mark replaces citation numbers that the text already has at that place. If the text has no place for a mark, its
    source is still listed.
    """
    citations = list(citations)
    ends = _ends(text, (citation.end or 0 for citation in citations))
    inline = [match.span() for match in _INLINE.finditer(text)]
    blocks = [match.span() for match in _BLOCK.finditer(text)]
    numbers = {match.span(): match.span("numbers") for match in _OWN_NUMBERS_AFTER.finditer(text)}
    own = list(numbers)

    def place(citation: Citation) -> tuple[int, int] | None:
        """Returns (at, until), so that the mark replaces text[at:until]; None if the text has no place for the mark."""
        end = ends[citation.end or 0]
        if (span := _span_at(inline, end)) and span[0] < end:
            end = span[1]
        at, until = numbers[span] if (span := _span_at(own, end)) else (end, end)
        return (at, until) if at and not _span_at(blocks, at) else None

    nowhere = (len(text) + 1, 0)
    sources: dict[str, Source] = {}
    marks: dict[tuple[int, int], dict[int, Source]] = {}
    for where, citation in sorted(((place(c) or nowhere, c) for c in citations), key=itemgetter(0)):
        name = citation.title or citation.url
        source = sources.setdefault(citation.url or name, Source(len(sources) + 1, name, citation.url))
        if where != nowhere:
            marks.setdefault(where, {})[source.number] = source
    written, position = list[str](), 0
    for (at, until), cited in marks.items():
        written.append(_unbound(text[position:at]))
        written += (mark_of(cited[number]) for number in sorted(cited))
        position = until
    return "".join([*written, text[position:]]), tuple(sources.values())


def _ends(text: str, offsets: Iterable[int]) -> dict[int, int]:
    """Maps the byte offset at which a passage ends to the character position of the passage's mark.

    The mark goes before trailing spaces and bars: after the last bar of a table row it would not be shown.
    """
    data = text.encode("utf-8", "surrogatepass")
    places: dict[int, int] = {}
    byte = character = place = 0
    for offset in sorted({*offsets}):
        end = min(offset, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:  # the offset is inside a character
            end -= 1
        passage = data[byte:end].decode("utf-8", "surrogatepass")
        if shown := passage.rstrip(" \t\r\n|"):
            place = character + len(shown)
        byte, character = end, character + len(passage)
        places[offset] = place
    return places


def _span_at(spans: Sequence[tuple[int, int]], position: int) -> tuple[int, int] | None:
    """Finds the first span that contains or touches a position. The spans are sorted and do not overlap."""
    index = bisect_left(spans, position, key=itemgetter(1))
    return spans[index] if index < len(spans) and spans[index][0] <= position else None


def _unbound(text: str) -> str:
    r"""Escapes a "!" or "\" before a mark: "!" would turn the mark into a picture, and "\" into plain text."""
    bare = text.removesuffix("!")
    escaped = (len(bare) - len(bare.rstrip("\\"))) % 2 == 1
    if bare != text:
        return text if escaped else rf"{bare}\!"
    return f"{text}\\" if escaped else text
