"""Reads the tables of a document in CSV, HTML, Markdown or RST."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from itertools import chain, islice, pairwise

from interactions_emulator.corpus.passage_splitting import Markup, heading_at, inline
from interactions_emulator.corpus.table_series import MIN_NUMBERS, Table, series_of

MAX_ROWS, MAX_CELL_CHARS = 2_000, 500
"""Maximum number of rows that are kept of a table, and of characters that are kept of a Markdown cell."""


def tables(source: str, markup: Markup) -> list[Table]:
    """The tables of a document that have a column with three or more numbers, in order."""
    source = source.replace("\r\n", "\n")
    if markup == "csv":
        found: Iterator[Table] = _from_csv(source)
    elif markup == "html":
        found = _from_html(source)
    elif markup == "markdown":
        found = chain(_from_pipes(source), _from_html(source) if "<table" in source else ())
    else:
        found = _from_rst(source) if markup == "rst" else iter(())
    return [table for table in found if series_of(table)]


def repeated_columns(source: str) -> list[str]:
    """The names that two columns of a CSV file have: only the first of them is drawn."""
    names = next((table.columns for table in _from_csv(source)), ())
    return [name for name in dict.fromkeys(names) if name and names.count(name) > 1]


def _table(heading: str, lines: Sequence[Sequence[str]]) -> Iterator[Table]:
    """Yields the table if all lines have the same number of cells. The first line has the names of the columns."""
    cells = [tuple(" ".join(cell.split()) for cell in line) for line in lines if any(line)]
    if len(cells) > MIN_NUMBERS and len(cells[0]) > 1 and all(len(line) == len(cells[0]) for line in cells):
        yield Table(heading, cells[0], tuple(cells[1 : MAX_ROWS + 1]))


def _from_csv(source: str) -> Iterator[Table]:
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(source[:10_000], ",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        yield from _table("", list(csv.reader(io.StringIO(source), dialect)))
    except csv.Error:
        return


_RULE = re.compile(r"(?=.*\|)\|?:?-+:?(?:\|:?-+:?)*\|?")


def _from_pipes(source: str) -> Iterator[Table]:
    lines = [*source.split("\n"), ""]
    heading, fenced, number = "", False, 0
    while number < len(lines) - 1:
        line, following = lines[number], lines[number + 1]
        fenced ^= line.lstrip().startswith(("```", "~~~"))
        heading = heading if fenced else heading_at(line, following) or heading
        number += 1
        if fenced or "|" not in line or not _RULE.fullmatch("".join(following.split())):
            continue
        found = [_cells(line)]
        for row in islice(lines, number + 1, None):
            if "|" not in row:
                break
            found.append(_cells(row))
        number += len(found)
        width = len(found[0])
        yield from _table(heading, [(row + [""] * width)[:width] for row in found])


def _cells(line: str) -> list[str]:
    bare = line.strip().removeprefix("|")
    bare = bare[:-1] if bare.endswith("|") and not bare.endswith("\\|") else bare
    return [inline(cell[:MAX_CELL_CHARS].replace("\\|", "|")) for cell in re.split(r"(?<!\\)\|", bare)]


def _from_rst(source: str) -> Iterator[Table]:
    lines = [*source.split("\n"), ""]
    heading, number = "", 0
    while number < len(lines) - 1:
        line = lines[number].rstrip()
        heading = heading_at(line, lines[number + 1], underlined=True) or heading
        number += 1
        rows: list[list[str]] = []
        if re.fullmatch(r"\s*\+(?:[-=]+\+){2,}", line):
            end = number
            while end < len(lines) and lines[end].lstrip().startswith(("|", "+")):
                end += 1
            rows, number = _grid(line, lines[number:end]), end
        elif re.fullmatch(r"\s*=+(?:\s+=+)+", line):
            ends = list(islice((at for at in range(number, len(lines)) if lines[at].rstrip() == line), 2))
            if len(ends) == 2:
                rows, number = _simple(line, [lines[number : ends[0]], lines[ends[0] + 1 : ends[1]]]), ends[1] + 1
        yield from _table(heading, rows)


def _grid(border: str, lines: Sequence[str]) -> list[list[str]]:
    """The rows of a grid table, each cell's lines joined; [] if a cell spans several columns."""
    edges = [match.start() for match in re.finditer(r"\+", border)]
    rows: list[list[str]] = [[]]
    for line in lines:
        if line.lstrip().startswith("+"):
            rows.append([])
        elif any(line[edge : edge + 1] != "|" for edge in edges):
            return []
        else:
            parts = [line[a + 1 : b].strip() for a, b in pairwise(edges)]
            rows[-1] = [f"{old} {new}" for old, new in zip(rows[-1], parts, strict=True)] if rows[-1] else parts
    return [[inline(cell) for cell in row] for row in rows if row]


def _simple(border: str, parts: Sequence[Sequence[str]]) -> list[list[str]]:
    """The rows of a simple table; a line with an empty first cell continues the row before it."""
    starts = [match.start() for match in re.finditer(r"=+", border)]
    spans = list(zip(starts, [*starts[1:], None], strict=True))
    rows: list[list[str]] = []
    for part in parts:
        fresh = True
        for line in part:
            cells = [line[a:b].strip() for a, b in spans]
            if fresh or cells[0]:
                rows.append(cells)
            else:
                rows[-1] = [f"{old} {new}" for old, new in zip(rows[-1], cells, strict=True)]
            fresh = False
    return [[inline(cell) for cell in row] for row in rows]


def _from_html(source: str) -> Iterator[Table]:
    reader = _Reader()
    reader.feed(source)
    reader.close()
    for heading, rows in reader.found:
        yield from _table(heading, rows)


class _Reader(HTMLParser):
    """Reads tables without spanning cells. Of nested tables it reads only the inner ones."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, list[list[str]]]] = []
        self._rows: list[list[str]] | None = None
        self._text: list[str] | None = None
        self._heading, self._caption, self._spans = "", "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._rows, self._caption, self._spans = [], "", False
        elif tag == "tr" and self._rows is not None:
            self._keep()
            self._rows.append([])
        elif tag in ("td", "th", "caption", "h1", "h2", "h3", "h4", "h5", "h6"):
            self._keep()
            self._text = []
            if tag in ("td", "th") and self._rows:
                self._rows[-1].append("")
                self._spans |= any(key in ("colspan", "rowspan") and value not in ("1", None) for key, value in attrs)
        elif tag == "br" and self._text is not None:
            self._text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "caption":
            self._caption = self._taken()
        elif len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self._heading = self._taken() or self._heading
        elif tag in ("td", "th", "tr"):
            self._keep()
        elif tag == "table" and self._rows is not None:
            self._keep()
            if not self._spans:
                self.found.append((self._caption or self._heading, self._rows))
            self._rows = None

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def _keep(self) -> None:
        """Ends the open cell, whose end tag may be missing."""
        text = self._taken()
        if text and self._rows and self._rows[-1]:
            self._rows[-1][-1] = text

    def _taken(self) -> str:
        text, self._text = " ".join("".join(self._text or ()).split()), None
        return text
