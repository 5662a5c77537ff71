"""Tables: what is read of them, and that only what stands in them is drawn."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interactions_emulator.corpus.index import Corpus
from interactions_emulator.corpus.passage_splitting import Markup
from interactions_emulator.corpus.table_parsing import tables
from interactions_emulator.corpus.table_series import Table, quantity, series_of

ROWS = (("Rance", "240"), ("Sihwa", "1,254"), ("Annapolis", "20"))
TABLE = Table("Capacity", ("Plant", "MW"), ROWS)
PIPES = (
    "# Plants\n\n## Capacity\n\n| Plant | MW |\n|:--|--:|\n| **Rance** | 240 |\n| Sihwa | 1,254 |\n| Annapolis | 20 |\n"
)
GRID = """Capacity
========

+-----------+-------+
| Plant     | MW    |
+===========+=======+
| Rance     | 240   |
+-----------+-------+
| Sihwa     | 1,254 |
+-----------+-------+
| Annapolis | 20    |
+-----------+-------+
"""
SIMPLE = """Capacity
========

=========  =====
Plant      MW
=========  =====
Rance      240
Sihwa      1,254
Annapolis  20
=========  =====
"""
HTML = """<h2>Capacity</h2><table><tr><th>Plant<th>MW</tr><tr><td><b>Rance</b><td>240<tr><td>Sihwa</td><td>1,254</td>
<tr><td>Annapolis<td>20</table>"""


def test_a_csv_file_with_a_column_named_twice_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "tides.csv").write_text(
        "port,height,height\nBrest,7.1,7.2\nCuxhaven,3.5,3.6\nLisbon,3.8,3.9\nOslo,0.3,0.4\n"
    )
    os.mkfifo(tmp_path / "pipe.csv")  # is not waited for
    assert len(Corpus.open(tmp_path)) == 1
    assert "tides.csv: two columns are named height, and only the first is drawn: rename one" in caplog.text


@pytest.mark.parametrize(
    ("source", "markup"),
    [(PIPES, "markdown"), (f"# Plants\n\n{HTML}", "markdown"), (HTML, "html"), (GRID, "rst"), (SIMPLE, "rst")],
)
def test_a_table_is_read_with_its_heading_from_each_markup(source: str, markup: Markup) -> None:
    assert tables(source, markup) == [TABLE]


def test_a_csv_file_is_read_as_a_table() -> None:
    assert tables("Plant;MW\nRance;240\nSihwa;1,254\nAnnapolis;20\n", "csv") == [TABLE._replace(heading="")]


@pytest.mark.parametrize(
    ("cell", "value", "unit"),
    [
        ("1,234", 1234, ""),
        ("45 %", 45, "%"),
        ("$3.2", 3.2, "$"),
        ("-$3", -3, "$"),
        ("−5 °C", -5, "°C"),
        ("1.234,5", 1234.5, ""),
        ("3,5", 3.5, ""),
        ("12 345", 12345, ""),
        ("240[1]", 240, ""),
        ("0.4 ms[^4]", 0.4, "ms"),
        ("12 km/h", 12, "km/h"),
        ("1.5 million", 1.5, "million"),
    ],
)
def test_numbers_are_parsed_with_separators_units_and_footnotes(cell: str, value: float, unit: str) -> None:
    assert quantity(cell) == (value, unit)


@pytest.mark.parametrize("cell", ["", "-", "3-4", "1/2", "10^5", "v1", "about 5", "1,23,4", "yes", "3.11.2", "5 and 6"])
def test_a_cell_that_is_not_a_single_number_has_no_value(cell: str) -> None:
    assert quantity(cell) is None


def test_years_dates_and_numbers_form_an_axis_and_names_do_not() -> None:
    def places(*names: str) -> tuple[float, ...]:
        series = series_of(Table("", ("x", "y"), tuple((name, "1") for name in names)))
        return series.positions if series else ()

    assert places("2019", "2020", "2022") == (2019, 2020, 2022)
    first, second, third = places("2024-02-28", "2024-03-01", "2024-03-02")
    assert (second - first, third - second) == (2, 1)
    assert places("9", "5", "1") == (9, 5, 1)
    assert places("Rance", "Sihwa", "Annapolis") == ()


def test_a_series_excludes_totals_keeps_gaps_and_does_not_mix_units() -> None:
    rows = (("a", "1", "1 %", "x"), ("b", "n/a", "2 %", "y"), ("c", "3", "3 %", "z"), ("d", "4", "4 %", "-"))
    series = series_of(Table("", ("name", "n", "share", "word"), (*rows, ("Total", "8", "10 %", ""))))
    assert series is not None
    assert series.names == ("a", "b", "c", "d")
    assert series.values == {"n": (1, None, 3, 4)} and series.unit == ""


@pytest.mark.parametrize(
    "rows",
    [
        (("a", "1"), ("b", "2")),
        (("a", "1"), ("b", "2"), ("c", "many")),
        (("a", "1 kg"), ("b", "2 m"), ("c", "3 s")),
        (("a", "1"), ("a", "2"), ("a", "3")),
    ],
)
def test_a_table_with_too_few_or_incomparable_numbers_gives_no_series(rows: tuple[tuple[str, ...], ...]) -> None:
    assert series_of(Table("", ("name", "n"), rows)) is None


@pytest.mark.parametrize("markup", ["markdown", "rst", "html", "csv", "plain", "pdf"])
@pytest.mark.parametrize(
    "source", ["|", "|-|\n|-|", "+-+-+\n|", "=== ===\n=== ===", "<table><td><tr>" * 99, '"', "a|b\n-|-\n" * 9]
)
def test_malformed_tables_are_ignored(source: str, markup: Markup) -> None:
    assert tables(source, markup) == []


def test_tables_are_stored_in_the_index_and_shown_on_the_document_page(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "plants.md").write_text(PIPES)
    index = tmp_path / "index.db"
    assert Corpus.open(tmp_path / "docs", index).tables("plants.md") == [TABLE]
    again = Corpus.open(tmp_path / "docs", index)
    assert again.tables("plants.md") == [TABLE]
    assert "<td>1,254" in str(again.page("plants.md"))
    (tmp_path / "docs" / "plants.md").write_text("# Plants\n\nThe table is gone now, and only this sentence is left.")
    assert Corpus.open(tmp_path / "docs", index).tables("plants.md") == []


@pytest.mark.parametrize(
    "source",
    ["|\n" + " " * 300_000, "|a\n" + "|-" * 100_000 + "x", "[" * 100_000 + "|\n-|-\n", "=== ===\nx y\n" * 50_000],
    ids=["spaces", "rule", "brackets", "borders"],
)
def test_a_hostile_table_is_parsed_in_linear_time(source: str) -> None:
    """It would not end in hours."""
    assert [*tables(source, "markdown"), *tables(source, "rst")] == []
