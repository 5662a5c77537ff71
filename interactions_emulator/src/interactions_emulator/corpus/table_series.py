"""Reads the numbers in a table's cells, and selects the columns that can be drawn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import NamedTuple

MIN_NUMBERS = 3
"""A table is kept, and a column drawn, only if at least this many of its rows have a number."""


class Table(NamedTuple):
    """The text of a table's cells. `heading` is the line above it; each row has one cell for each of `columns`."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Quantity(NamedTuple):
    """The number in a cell, with its unit: `$`, `%`, `MW`."""

    value: float
    unit: str


class Series(NamedTuple):
    """Columns that can be drawn in one chart. `names` are the rows' names in the first column, which is called `label`.

    `positions` are the rows' positions on the axis; () if the names are categories.
    """

    label: str
    names: tuple[str, ...]
    positions: tuple[float, ...]
    values: dict[str, tuple[float | None, ...]]
    unit: str


def quantity(cell: str) -> Quantity | None:
    """The number in a cell such as `1,234`, `45 %`, `$3.2` or `−5 °C`; None if the cell is not a single number."""
    text = re.sub(r"\s*(?:\[\^?\w{1,3}\]|[*†‡])+$", "", cell.strip()).replace("−", "-").replace("\xa0", " ")
    match = _QUANTITY.fullmatch(text)
    if not match:
        return None
    digits = re.sub(r"[ '_\u2009\u202f]", "", match["digits"])
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+|\d+,(?:\d{1,2}|\d{4,})", digits):  # a decimal comma
        digits = digits.replace(".", "").replace(",", ".")
    sign = -1 if "-" in (match["sign"] or match["inner"] or "") else 1
    return Quantity(sign * float(digits.replace(",", "")), f"{match['currency'] or ''}{match['unit']}".strip())


_QUANTITY = re.compile(
    r"(?P<sign>[-+])?\s?(?P<currency>[$€£¥₹])?\s?(?P<inner>[-+])?"
    r"(?P<digits>\d{1,3}(?:[, '_\u2009\u202f]\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+,\d+|\d+[.,]?\d*|\.\d+)"
    r"\s?(?P<unit>%|‰|[€£$]|°?[^\W\d_]{0,12}(?:[/²³·][^\W\d_]{0,6}[²³]?)?)"
)
_EMPTY_CELL = re.compile(r"(?i)[-–—?.]*|n/?a|none|unknown|no data")
_COUNTER_COLUMN = re.compile(r"(?i)#|no\.?|nr\.?|rank|id|index|pos(?:ition)?|")
_NO_MEASURE = re.compile(r"(?i)#|no\.?|nr\.?|rank|id|port|code|pep|rfc|issue|line|version|page|phone|zip.*|isbn")
_SUM_ROW = re.compile(r"(?i)(?:grand )?total|sum|all|overall|average|mean|median|gesamt|summe|合计|总计")


def series_of(table: Table) -> Series | None:
    """The columns of a table that can be drawn over its first column; None if there are none.

    The result has the first column with three or more numbers, all in one unit, and up to two more columns in the same
    unit. If the first column of the table has years, dates or numbers in order, they become positions on an axis.
    Otherwise its cells are categories, and rows with sums are left out.
    """
    first = int(bool(_COUNTER_COLUMN.fullmatch(table.columns[0])) and len(table.columns) > 2)
    rows = [row for row in table.rows if row[first]]
    names = [row[first] for row in rows]
    positions = _positions(names)
    if not positions:
        kept = [row for row in rows if not _SUM_ROW.fullmatch(row[first])]
        rows, names = kept, [row[first] for row in kept]
        if len(set(names)) < len(names) or sum(quantity(name) is None for name in names) < len(names) / 2:
            return None
    values: dict[str, tuple[float | None, ...]] = {}
    unit: str | None = None
    for column in range(first + 1, len(table.columns)):
        cells = [None if _EMPTY_CELL.fullmatch(row[column]) else quantity(row[column]) for row in rows]
        present = [cell for cell in cells if cell is not None]
        unread = sum(not _EMPTY_CELL.fullmatch(row[column]) for row in rows) - len(present)
        units = {cell.unit for cell in present}
        name = table.columns[column]
        if len(present) < MIN_NUMBERS or unread or len(units) > 1 or not name or name in values:
            continue
        if not _NO_MEASURE.fullmatch(name) and unit in (None, *units) and len(values) < 3:
            unit = units.pop()
            values[name] = tuple(cell and cell.value for cell in cells)
    return Series(table.columns[first] or "row", tuple(names), positions, values, unit or "") if values else None


def _positions(names: Sequence[str]) -> tuple[float, ...]:
    """Years, numbers or ISO dates as positions on an axis; () if the names are something else or not in order."""
    if all(re.fullmatch(r"\d{4}-\d\d-\d\d", name) for name in names):
        try:
            positions = [float(date.fromisoformat(name).toordinal()) for name in names]
        except ValueError:
            return ()
    elif all(match := [re.fullmatch(r"(\d{4})-(\d\d)", name) for name in names]):
        positions = [int(m[1]) + (int(m[2]) - 1) / 12 for m in match if m]
    else:
        numbers = [quantity(name) for name in names]
        positions = [number.value for number in numbers if number]
        if len(positions) < len(names) or len({number.unit for number in numbers if number}) > 1:
            return ()
    rising = all(a < b for a, b in pairwise(positions))
    return (
        tuple(positions)
        if len(positions) >= MIN_NUMBERS and (rising or all(a > b for a, b in pairwise(positions)))
        else ()
    )
