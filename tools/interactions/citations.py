"""Writes citation marks into Markdown text and numbers the cited sources.

All functions take time linear in the text: no pattern scans the same text from several start positions.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any
from urllib.parse import quote

from tools.text.unsafe_characters import sanitize, without_direction_marks


@dataclass(frozen=True)
class Source:
    """A cited source and its number; `url` is empty for a file without an address."""

    number: int
    title: str
    url: str


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
CODE_BLOCK = r"^[ \t>]*(?P<fence>`{3,}+|~{3,}+)[^`\n]*+\n.*?(?:^[ \t>]*(?P=fence)[^\n]*|\Z)"
"""Matches a fenced block of code, up to its end, with `re.MULTILINE` and `re.DOTALL`."""
_BLOCK = re.compile(
    rf"{CODE_BLOCK}"
    r"|^[ \t|:=*_-]+$",  # a line that only structures a table, a heading or a page
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(
    r'\[\\\[\d++\\\]\]\([^()\s]*+ "(?:[^"\\]|\\.)*+"\)'  # the mark of a web source
    r"|\\\[\d++\\\]",  # the mark of another source
    re.DOTALL,
)
"""Matches what `_mark` writes for any source."""
_MARKS = re.compile(f"(?:{_MARK.pattern})+", re.DOTALL)
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


def replace_urls(text: str, sources: Sequence[Source], urls: Mapping[str, str]) -> tuple[str, tuple[Source, ...]]:
    """Replaces addresses in a text and its sources from `cite`. Sources with the same new address get one number.

    Args:
        urls: maps each old address to its new address.
    """
    merged: dict[str, Source] = {}
    new: dict[str, Source] = {}
    for source in sources:
        url = urls.get(source.url, source.url)
        new[mark_of(source)] = merged.setdefault(url or source.title, Source(len(merged) + 1, source.title, url))

    def renumbered(run: re.Match[str]) -> str:
        written = list[str]()
        for known, marks in groupby(_MARK.findall(run[0]), new.__contains__):
            if known:
                cited = {new[mark].number: new[mark] for mark in marks}
                written += (mark_of(cited[number]) for number in sorted(cited))
            else:
                written += marks
        return "".join(written)

    return _MARKS.sub(renumbered, text), tuple(merged.values())


def split_at_marks(text: str, sources: Sequence[Source]) -> list[tuple[str, tuple[int, ...]]]:
    """Splits a text from `cite` at its marks.

    Returns:
        Each piece of text, with the numbers of the sources whose marks directly follow it; the last piece has none.
    """
    numbers = {mark_of(source): source.number for source in sources}
    found, position = list[tuple[str, tuple[int, ...]]](), 0
    for run in _MARKS.finditer(text):
        if cited := [numbers[mark] for mark in _MARK.findall(run[0]) if mark in numbers]:
            found.append((text[position : run.start()], tuple(cited)))
            position = run.end()
    return [*found, (text[position:], ())]


def plain_marks(text: str, sources: Sequence[Source]) -> str:
    """Replaces the marks in a text from `cite` with marks without links, like `[1]`."""
    return replace_marks(text, {mark_of(source): f"[{source.number}]" for source in sources})


def local_marks(text: str, sources: Sequence[Source]) -> str:
    """Replaces the marks in a text from `cite` with links in the same document, like `[\\[1\\]](#source-1)`."""
    return replace_marks(
        text, {mark_of(source): f"[\\[{source.number}\\]](#source-{source.number})" for source in sources}
    )


def short_marks(text: str) -> str:
    """Replaces marks that are links with marks like `[1]`, for a text whose sources are not known."""
    marks = [mark for mark in _MARK.findall(text) if mark.startswith("[")]
    return replace_marks(text, {mark: f"[{_number(mark)}]" for mark in marks})


def sanitized_text(value: object) -> str:
    """Sanitizes a string from outside, see `tools.text.unsafe_characters`; returns "" for anything else."""
    return sanitize(value) if isinstance(value, str) else ""


def is_web(url: str) -> bool:
    """Whether an address may become a link: its scheme is http or https."""
    return re.match(r"https?://[^\s/?#]", url, re.IGNORECASE) is not None


def link_address(url: str) -> str:
    """Escapes an address for a Markdown link, also inside a table."""
    return re.sub(r'[\s<>()"\\`|^{}\x00-\x1f\x7f]', lambda match: quote(match[0]), url)


def escape(text: str) -> str:
    """Escapes text for Markdown, also inside a link, its title or a table."""
    return re.sub(r'([\\`*_\[\]<>|"~]|&(?=#?\w+;))', r"\\\1", text)


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


def _number(mark: str) -> str:
    """Returns the number in a mark that is a link."""
    return mark[3 : mark.index("\\]")]


def replace_marks(text: str, marks: Mapping[str, str]) -> str:
    """Replaces marks in a text; `marks` maps each mark to its replacement."""
    return _MARK.sub(lambda mark: marks.get(mark[0], mark[0]), text)


def mark_of(source: Source) -> str:
    """Returns the mark that `cite` puts into a text for a source."""
    if not is_web(source.url):
        return f"\\[{source.number}\\]"
    return f'[\\[{source.number}\\]]({link_address(source.url)} "{escape(source.title)}")'
