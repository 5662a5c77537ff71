"""Citations: where they stand in a Markdown text, and the numbered sources that they point at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Source:
    """What a citation points at; `url` is empty for a file without an address."""

    number: int
    title: str
    url: str


@dataclass(frozen=True)
class Citation:
    """A source for the passage that ends before byte `end` of the text in UTF-8; None if that is not known."""

    title: str
    url: str
    end: int | None


OWN_NUMBERS = r"(?:[ \t]*\[(?:\d{1,3}(?:, ?\d{1,3})*|cite: *\d+(?:, *\d+)*)\](?![(:]))+"
"""What Deep Research writes into its text by itself: " [1]", "[1, 2]", "[cite: 1, 2]", several in a row."""

_OWN_NUMBERS_AFTER = re.compile(rf"[.,;:!?。]?(?P<numbers>{OWN_NUMBERS})")
_INLINE = re.compile(r"(`+)[^`\n]+\1|!?\[[^\]\n]*\]\([^)\n]*\)")
"""Code, links and pictures: a mark within would be shown as it is written."""
_BLOCK = re.compile(
    r"^[ \t>]*(?P<fence>`{3,}|~{3,})[^`\n]*\n.*?(?:^[ \t>]*(?P=fence)[^\n]*|\Z)"  # code
    r"|^[ \t|:=*_-]+$",  # a line that gives a table, a heading or a page its shape
    re.MULTILINE | re.DOTALL,
)
_KEYS = {
    "url_citation": ("title", "url"),
    "file_citation": ("file_name", "document_uri"),
    "place_citation": ("name", "url"),
}


def read_citations(annotations: Iterable[Mapping[str, Any]], base: int = 0) -> list[Citation]:
    """The citations among the annotations of a text part that begins at byte `base` of the text.

    Other annotations, and those that name nothing, are left out.
    """
    citations = []
    for annotation in annotations:
        if keys := _KEYS.get(str(annotation.get("type"))):
            title, url = (" ".join(readable(annotation.get(key)).split()) for key in keys)
            end = annotation.get("end_index")
            if title or url:
                citations.append(Citation(title, url, base + end if isinstance(end, int) and end > 0 else None))
    return citations


def cite(text: str, citations: Iterable[Citation]) -> tuple[str, tuple[Source, ...]]:
    """The text with marks like `[\\[1\\]](url "Title")`, and the sources in the order of their first mark.

    A mark takes the place of the text's own numbers. A source whose mark can stand nowhere is listed all the same.
    """
    data = text.encode("utf-8", "surrogatepass")
    inline = [match.span() for match in _INLINE.finditer(text)]
    blocks = [match.span() for match in _BLOCK.finditer(text)]
    own = list(_OWN_NUMBERS_AFTER.finditer(text))

    def place(citation: Citation) -> tuple[int, int] | None:
        """The mark goes in place of text[at:until]. None: nowhere."""
        # A mark behind the last bar of a table's row would not be shown.
        end = len(data[: citation.end or 0].decode(errors="ignore").rstrip(" \t\r\n|"))
        end = next((stop for begin, stop in inline if begin < end < stop), end)
        at, until = next((m.span("numbers") for m in own if m.start() <= end <= m.end()), (end, end))
        return (at, until) if at and not any(begin <= at <= stop for begin, stop in blocks) else None

    nowhere = (len(text) + 1, 0)
    sources: dict[str, Source] = {}
    marks: dict[tuple[int, int], dict[int, Source]] = {}
    for where, citation in sorted(((place(c) or nowhere, c) for c in citations), key=lambda pair: pair[0]):
        name = citation.title or citation.url
        source = sources.setdefault(citation.url or name, Source(len(sources) + 1, name, citation.url))
        if where != nowhere:
            marks.setdefault(where, {})[source.number] = source
    written, position = "", 0
    for (at, until), cited in marks.items():
        # "!" would make a picture of the link, and a backslash would make it text.
        written += re.sub(r"(?<!\\)[!\\]\Z", r"\\\g<0>", text[position:at])
        written += "".join(_mark(cited[number]) for number in sorted(cited))
        position = until
    return written + text[position:], tuple(sources.values())


def relink(text: str, sources: Sequence[Source], urls: Mapping[str, str]) -> tuple[str, tuple[Source, ...]]:
    """What `cite` returned with other addresses in it; sources that become one have one number."""
    merged: dict[str, Source] = {}
    new: dict[str, Source] = {}
    for source in sources:
        url = urls.get(source.url, source.url)
        new[_mark(source)] = merged.setdefault(url or source.title, Source(len(merged) + 1, source.title, url))
    mark = "|".join(sorted(map(re.escape, new), key=len, reverse=True))

    def renumbered(run: re.Match[str]) -> str:
        cited = {new[old].number: new[old] for old in re.findall(mark, run[0])}
        return "".join(_mark(cited[number]) for number in sorted(cited))

    return re.sub(f"(?:{mark})+", renumbered, text) if new else text, tuple(merged.values())


def plain_marks(text: str, sources: Sequence[Source]) -> str:
    """What `cite` returned with marks like `[1]` instead, which lead nowhere."""
    for source in sources:
        text = text.replace(_mark(source), f"[{source.number}]")
    return text


def source_list(sources: Sequence[Source]) -> str:
    """The sources as a numbered list in Markdown."""
    return "\n".join(f"{source.number}. {_source_line(source)}" for source in sources)


def readable(value: object) -> str:
    """A string of the wire; lone surrogates, which no file can hold, are replaced one by one. Else empty."""
    return re.sub("[\ud800-\udfff]", "\ufffd", value) if isinstance(value, str) else ""


def is_web(url: str) -> bool:
    """Whether an address may be linked: only http and https are."""
    return re.match(r"https?://[^\s/?#]", url, re.IGNORECASE) is not None


def link_address(url: str) -> str:
    """An address as it may stand in a Markdown link, also within a table."""
    return re.sub(r'[\s<>()"\\`|^{}\x00-\x1f\x7f]', lambda match: quote(match[0]), url)


def _source_line(source: Source) -> str:
    if is_web(source.url):
        return f"[{_escape(source.title)}]({link_address(source.url)})"
    names = dict.fromkeys(filter(None, (source.title, source.url)))
    return _escape(" ".join(" — ".join(names).split()))


def _mark(source: Source) -> str:
    if not is_web(source.url):
        return f"\\[{source.number}\\]"
    return f'[\\[{source.number}\\]]({link_address(source.url)} "{_escape(source.title)}")'


def _escape(text: str) -> str:
    """Text that means itself in Markdown, also within a link, its title or a table."""
    return re.sub(r'([\\`*_\[\]<>|"~]|&(?=#?\w+;))', r"\\\1", text)
