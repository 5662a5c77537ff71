"""`desk spending` shows what was spent and what the server counted, whatever stands in the ledger."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from interactions_emulator import Emulator
from tests.cli.test_commands import api, desk
from tools.cli.spending import show_table
from tools.cli.spending_chart import COLOURS, chart
from tools.cli.spending_rows import By, Row, table, total
from tools.cli.terminal import Terminal
from tools.extras import install_command
from tools.research.job import Kind, new_job
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.research.spending import Spending
from tools.settings import load_settings

__all__ = ("api",)
AGENT, MAX, MODEL = "deep-research-preview-04-2026", "deep-research-max-preview-04-2026", "gemini-3.8-flash"
SERVER = "gemini"
USAGE = {"total_tokens": 1200, "grounding_tool_count": [{"type": "google_search", "count": 4}]}
HOSTILE = "\x1b]52;c;cHduZWQ=\x07ada\x9b2J\x7f\u2028$x$ <b>&[red]\ud800"


def entry(when: str, kind: Kind = Kind.RUN, usd: float = 3.0, **values: Any) -> Spending:
    """One of ada's, on Deep Research."""
    seconds = datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp()
    return replace(Spending(seconds, "ada", "job_a", kind, AGENT, usd, server=SERVER), **values)


ENTRIES = [
    entry("2026-09-30T23:59:59"),
    entry("2026-10-01T00:00:00", Kind.PLAN, 1.0, usage=USAGE),
    entry("2026-10-01T12:00:00", Kind.REVISION, 1.0),
    entry("2026-10-01T13:00:00", usage=USAGE),
    entry("2026-10-01T14:00:00", Kind.QUESTION, 0.1, agent=MODEL),
    entry("2026-10-01T15:00:00", usd=7.0, agent=MAX, user="bob"),
    entry("2026-10-02T00:00:00"),
]


@pytest.fixture
async def spent() -> None:
    """The entries are in the ledger that the commands read."""
    ledger = Ledger(load_settings().ledger_url)
    job = new_job(Order("tides", "ada", "s1", AGENT), 1000.0)
    for each in ENTRIES:
        await ledger.record_spending(job, each, None)
    await ledger.close()


def text_of(svg: str) -> list[str]:
    """What a picture says; fails if it is no XML."""
    return [text for element in ET.fromstring(svg).iter() if (text := (element.text or "").strip())]


def test_spending_rows_are_grouped_by_utc_day_user_and_agent() -> None:
    rows = table(ENTRIES, By.day)
    assert [(row.period, row.user, row.agent) for row in rows] == [
        ("2026-09-30", "ada", AGENT),
        ("2026-10-01", "ada", AGENT),
        ("2026-10-01", "ada", MODEL),
        ("2026-10-01", "bob", MAX),
        ("2026-10-02", "ada", AGENT),
    ]
    tools = {"google_search": 8}
    assert rows[1] == Row("2026-10-01", "ada", AGENT, SERVER, 1, 1, 1, 0, 5.0, counted=2, tokens=2400, tools=tools)
    assert rows[2] == Row("2026-10-01", "ada", MODEL, SERVER, questions=1, usd_at_most=0.1)


def test_monthly_rows_add_up_the_days_and_keep_the_total() -> None:
    days, months = table(ENTRIES, By.day), table(ENTRIES, By.month)
    assert [(row.period, row.user, row.agent) for row in months] == [
        ("2026-09", "ada", AGENT),
        ("2026-10", "ada", AGENT),
        ("2026-10", "ada", MODEL),
        ("2026-10", "bob", MAX),
    ]
    assert total(days) == total(months)
    assert total(days).usd_at_most == pytest.approx(18.1)
    assert (total(days).runs, total(days).tokens, total(days).tools) == (4, 2400, {"google_search": 8})


@pytest.mark.parametrize(
    "usage",
    [
        {"total_tokens": None},
        {"total_tokens": "many"},
        {"total_tokens": -1},
        {"total_tokens": True},
        {"total_tokens": 10**400},
        {"total_tokens": 1e300},
        {"total_tokens": [1]},
        {"tokens": 5, "something": {"new": True}},
        {"grounding_tool_count": 4},
        {"grounding_tool_count": {"google_search": 4}},
        {"grounding_tool_count": [4, None, [], {}, {"type": "x"}, {"type": ["x"], "count": 1}]},
        {"grounding_tool_count": [{"type": "x", "count": "4"}, {"type": "x", "count": -4}]},
    ],
    ids=str,
)
def test_malformed_usage_is_not_counted_and_does_not_raise(usage: Any) -> None:
    (row,) = table([entry("2026-10-01", usage=usage), entry("2026-10-01", usage=USAGE)], By.day)
    assert (row.runs, row.counted, row.tokens, row.tools) == (2, 1, 1200, {"google_search": 4})


def test_the_valid_parts_of_a_usage_record_are_counted() -> None:
    usage = {"total_tokens": "?", "grounding_tool_count": [{"type": "google_maps", "count": 2}, "?"]}
    (row,) = table([entry("2026-10-01", usage=usage)], By.day)
    assert (row.counted, row.tokens, row.tools) == (1, 0, {"google_maps": 2})


def test_the_table_shows_runs_estimated_cost_and_counted_usage() -> None:
    show_table(table(ENTRIES, By.day), By.day, shown := Terminal(width=160, file=StringIO()))
    lines = shown.file.getvalue().splitlines()  # type: ignore[attr-defined]
    first = next(number for number, line in enumerate(lines) if "2,400 tokens" in line)
    row = [" ".join(line.split()) for line in lines[first : first + 3]]
    name, _, version = AGENT.partition("-preview")
    assert row[0] == f"2026-10-01 ada {name} 1 run $5.00 2,400 tokens"
    assert row[1:] == [f"preview{version} 1 plan 8 google_search", "1 revision (2 of 3)"]
    sums = " ".join(" ".join(lines[next(n for n, line in enumerate(lines) if "total" in line) :]).split())
    assert sums == "total 4 runs $18.10 2,400 tokens 1 plan 8 google_search 1 revision (2 of 7) 1 question"


def test_a_pipe_gets_a_line_with_tabs_for_each_row(spent: None) -> None:
    lines = [line.split("\t") for line in desk("spending").stdout.splitlines()]
    assert lines[1] == ["2026-10-01", "ada", AGENT, SERVER, "1", "1", "1", "0", "5.00", "2400"]
    assert [line[0] for line in lines] == ["2026-09-30", *["2026-10-01"] * 3, "2026-10-02"]


def test_spending_on_the_emulator_has_rows_and_a_total_of_its_own_and_is_called_unpaid() -> None:
    rows = table([entry("2026-10-01"), entry("2026-10-01", server="emulator"), entry("2026-10-01")], By.day)
    show_table(rows, By.day, shown := Terminal(width=160, file=StringIO()))
    said = [" ".join(line.split()) for line in shown.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert [line for line in said if line.startswith("total")] == [
        "total emulator 1 run $3.00",
        "total gemini 2 runs $6.00",
    ]
    assert said[-1] == "Nothing is paid on the emulator: it shows the prices of Gemini."


def test_a_narrow_window_shows_blocks_of_whole_words() -> None:
    rows = table([entry("2026-10-01", usage=USAGE), entry("2026-10-01", server="emulator")], By.day)
    terminal = Terminal(width=50, file=StringIO())
    show_table(rows, By.day, terminal)
    shown = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, shown.splitlines())) <= 50
    for line in (f"  {AGENT}", "  at most $3.00: 1 run", "total · gemini", "total · emulator"):
        assert line in [each.rstrip() for each in shown.splitlines()], shown
    assert "Nothing is paid on the emulator" in shown


def test_the_table_fits_80_columns() -> None:
    names = ("ada.lovelace@example.org", "bob")
    rows = table(
        [entry("2026-10-01", user=user, agent=agent, usage=USAGE) for user in names for agent in (AGENT, MAX)], By.day
    )
    terminal = Terminal(width=80, file=StringIO())
    show_table(rows, By.day, terminal)
    shown = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, shown.splitlines())) <= 80
    for word in (
        "server counted",
        "deep-research-max ",
        "preview-04-2026 ",
        "4 google_search",
        "1,200 tokens",
        "$3.00",
    ):
        assert word in shown


def test_spending_can_be_filtered_by_user_and_start_date(spent: None) -> None:
    def found(*options: str) -> list[tuple[str, str]]:
        shown = desk("spending", "--json", *options)
        return [(row["period"], row["user"]) for row in map(json.loads, shown.stdout.splitlines())]

    assert found("--user", "bob") == [("2026-10-01", "bob")]
    assert found("--since", "2026-10-01", "--by", "month", "--user", "ada") == [("2026-10", "ada")] * 2
    assert found("--since", "2026-10-02") == [("2026-10-02", "ada")]
    nobody = desk("spending", "--user", "eve")
    assert (nobody.returncode, "leave out --since and --user" in nobody.stderr, nobody.stdout) == (0, True, "")


def test_spending_remains_after_the_research_run_is_deleted(api: Emulator) -> None:
    job = json.loads(desk("research", "tides", "--plan", "--json").stdout)["job"]
    for command in (("approve", job), ("follow-up", job, "Which source is the newest?"), ("forget", job, "--yes")):
        assert desk(*command).returncode == 0, command
    rows = [json.loads(line) for line in desk("spending", "--json").stdout.splitlines()]
    research, questions = sorted(rows, key=lambda row: row["agent"])
    assert (research["runs"], research["plans"], research["questions"], research["usd_at_most"]) == (1, 1, 0, 4.0)
    assert (research["counted"], research["tokens"] > 0) == (2, True)
    assert (questions["questions"], questions["usd_at_most"]) == (1, 0.1)
    assert [row["user"] for row in rows] == ["user", "user"]


@pytest.mark.parametrize("options", [(), ("--json",), ("--svg", "spending.svg")], ids=str)
def test_an_empty_ledger_says_that_nothing_was_spent_and_what_to_do(options: tuple[str, ...]) -> None:
    empty = desk("spending", *options)
    hint = 'Nothing was spent yet. Start with: desk research "…"\n'
    assert (empty.returncode, empty.stdout, empty.stderr) == (0, "", hint)
    assert not Path("spending.svg").exists()


@pytest.mark.parametrize("day", ["tomorrow", "2026-13-01", "2026", "0", "-1", "2026-10-01T00:00", "\x1b[2J"])
def test_an_invalid_since_date_is_refused_with_an_example(day: str) -> None:
    wrong = desk("spending", f"--since={day}")
    assert (wrong.returncode, wrong.stdout, len(wrong.stderr.splitlines())) == (2, "", 4)
    assert "it has to be a day like 2026-10-31" in wrong.stderr
    assert "\x1b" not in wrong.stderr


def test_a_chart_without_matplotlib_says_what_to_install(spent: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    refused = desk("spending", "--svg", "spending.svg")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
    assert f"--svg needs matplotlib: {install_command('charts')}" in refused.stderr
    assert not Path("spending.svg").exists()


def test_the_svg_chart_is_written_in_addition_to_the_table(spent: None, tmp_path: Path) -> None:
    file = tmp_path / "new" / "spending.svg"
    drawn = desk("spending", "--svg", str(file))
    assert (drawn.returncode, drawn.stderr) == (0, f"{file}\n")
    assert "2026-10-02\tada" in drawn.stdout
    said = text_of(file.read_text())
    for text in ("Spending by day", "estimate, USD at most", "day (UTC)", "2026-09-30", "2026-10-02", AGENT, MAX):
        assert text in said
    refused = desk("spending", "--svg", str(tmp_path))
    assert (refused.returncode, "is a folder: name a file" in " ".join(refused.stderr.split())) == (2, True)


def test_chart_bars_are_placed_by_day_and_stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    bars: list[tuple[int, float, float]] = []
    draw = Axes.bar

    def bar(axes: Axes, places: Any, heights: Any, width: float, bottoms: Any, **how: Any) -> Any:
        bars.extend(zip(places, bottoms, heights, strict=True))
        return draw(axes, places, heights, width, bottoms, **how)

    monkeypatch.setattr(Axes, "bar", bar)
    chart(table([*ENTRIES, entry("2026-10-05")], By.day), By.day)
    assert {place for place, _, _ in bars} == {0, 1, 2, 5}
    first = sorted((bottom, height) for place, bottom, height in bars if place == 1)
    assert [bottom + height for bottom, height in first][:-1] == pytest.approx([bottom for bottom, _ in first[1:]])
    assert sum(height for _, height in first) == pytest.approx(12.1)
    assert all(below != above for below, above in pairwise(first))


def test_charts_are_drawn_for_unusual_values_and_names() -> None:
    for entries in (
        [entry("2026-10-01", usd=0.0)],
        [entry("2026-10-01", user=HOSTILE, agent=HOSTILE)],
        [entry("2026-10-01"), entry("5138-01-01")],
        [entry("2026-10-01", agent=name) for name in ("others", "_hidden", "$\\frac$", "中文", "x" * 1000, *"abcdef")],
    ):
        for by in By:
            said = text_of(chart(table(entries, by), by))
            assert f"{by} (UTC)" in said
    many = text_of(chart(table([entry("2026-10-01", agent=f"agent-{n}") for n in range(20)], By.day), By.day))
    assert len([text for text in many if text.startswith("agent-")]) == len(COLOURS)
    assert "others" in many


def test_the_same_spending_gives_the_same_chart() -> None:
    rows = table(ENTRIES, By.day)
    assert chart(rows, By.day) == chart(rows, By.day)


def test_the_table_strips_terminal_escape_sequences_from_names() -> None:
    hostile = entry("2026-10-01", user=HOSTILE, agent=HOSTILE, usage=_hostile_usage())
    rows = table([hostile, entry("2026-10-01", user="bob")], By.day)
    terminal = Terminal(width=200, force_terminal=True, file=StringIO())
    show_table(rows, By.day, terminal)
    shown = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert shown.count("[red]") == 4  # user, agent, tool, and the total of tools
    assert not any(told in shown for told in ("\x1b]", "\x07", "\x9b", "\x7f"))


def _hostile_usage() -> dict[str, Any]:
    return {"total_tokens": 1, "grounding_tool_count": [{"type": HOSTILE, "count": 1}]}


def test_json_output_contains_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    async def spending(ledger: Ledger, **_: Any) -> list[Spending]:
        return [entry("2026-10-01", user=HOSTILE, agent=HOSTILE, usage=_hostile_usage())]

    monkeypatch.setattr(Ledger, "spending", spending)
    shown = desk("spending", "--json")
    assert shown.returncode == 0, shown.stderr
    assert not any(told in shown.stdout for told in ("\x1b", "\x07", "\x9b", "\x7f", "\ud800"))
    assert json.loads(shown.stdout)["counted"] == 1
