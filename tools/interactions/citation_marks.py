"""The marks of cited sources in a Markdown text: their form, and other forms that replace them.

All functions take time linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from tools.text.markdown import escape, is_web, link_address

_MARK = re.compile(
    r'\[\\\[\d++\\\]\]\([^()\s]*+ "(?:[^"\\]|\\.)*+"\)'  # the mark of a web source
    r"|\\\[\d++\\\]",  # the mark of another source
    re.DOTALL,
)
"""Matches what `mark_of` writes for any source."""
_MARKS = re.compile(f"(?:{_MARK.pattern})+", re.DOTALL)


@dataclass(frozen=True)
class Source:
    """A cited source and its number; `url` is empty for a file without an address."""

    number: int
    title: str
    url: str


def replace_marks(text: str, marks: Mapping[str, str]) -> str:
    """Replaces marks in a text; `marks` maps each mark to its replacement."""
    return _MARK.sub(lambda mark: marks.get(mark[0], mark[0]), text)


def mark_of(source: Source) -> str:
    """Returns the mark that `cite` puts into a text for a source."""
    if not is_web(source.url):
        return f"\\[{source.number}\\]"
    return f'[\\[{source.number}\\]]({link_address(source.url)} "{escape(source.title)}")'


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


def _number(mark: str) -> str:
    """Returns the number in a mark that is a link."""
    return mark[3 : mark.index("\\]")]
