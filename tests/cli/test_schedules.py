"""`desk schedule`, `desk schedules` and `desk run-due`."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Iterator
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from interactions_emulator import Emulator
from tests.cli.test_commands import desk
from tests.routing.test_conversation import brain
from tests.talk import creates
from tools.cli import crontab
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.research.quotas import Quotas
from tools.research.schedules.new_schedule import new_schedule
from tools.research.schedules.schedule import Schedule
from tools.research.schedules.timing import Timing
from tools.research.tables import SCHEDULES
from tools.settings import load_settings

TIDES = ("schedule", "Why are there tides?", "--every", "monday 09:00", "--timezone", "Europe/Berlin")


@pytest.fixture(autouse=True)
def api(use: Any) -> Iterator[Emulator]:
    with Emulator(brain=brain, speed=math.inf) as server:
        use(server)
        yield server


def stored(*statements: Any, add: Schedule | None = None) -> list[Schedule]:
    """The schedules of the ledger's user, after these statements."""

    async def run() -> list[Schedule]:
        ledger = Ledger(load_settings().ledger_url)
        if add:
            await ledger.schedules.add(add)
        for statement in statements:
            await ledger._database.write(methodcaller("execute", statement))
        found = await ledger.schedules.of_user("user")
        await ledger.close()
        return found

    return asyncio.run(run())


def come_due(weeks: int) -> None:
    stored(update(SCHEDULES).values(due=SCHEDULES.c.due - weeks * 7 * 86_400))


def test_a_schedule_needs_one_yes_that_shows_times_price_and_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = desk(*TIDES, "--max-usd", "15")
    assert refused.returncode == 1 and "agree to the ceiling with --yes" in refused.stderr
    for fact in (
        "Why are there tides?",
        "09:00 on Monday (Europe/Berlin)",
        "$1 to $3 a run",
        "$15 in a calendar month",
    ):
        assert fact in refused.stderr
    assert len(re.findall(r"Mon 20\d\d-\d\d-\d\d 09:00 CES?T", refused.stderr)) == 3
    assert stored() == []
    monkeypatch.setattr("tools.cli.confirmation.can_ask", lambda: True)
    assert desk(*TIDES, "--max-usd", "15", typed="n\n").returncode == 1
    assert stored() == []
    agreed = desk(*TIDES, "--max-usd", "15", typed="y\n")
    assert agreed.returncode == 0
    [made] = stored()
    assert made.id in agreed.stdout and "the first run is due Mon" in agreed.stdout
    assert "`desk board`, `desk serve` or `desk work`" in agreed.stderr and "run-due" in agreed.stderr


def test_a_ceiling_that_is_not_enough_for_a_month_says_for_how_many_runs_it_is() -> None:
    assert "enough for 3 of the" in desk(*TIDES[:2], "--every", "day", "--max-usd", "10").stderr


def test_a_repeated_command_makes_no_second_schedule() -> None:
    assert desk(*TIDES, "--max-usd", "15", "--yes").returncode == 0
    again = desk(*TIDES, "--max-usd", "30", "--yes")
    assert again.returncode == 0 and "does this already: its ceiling is $15 a month" in again.stderr
    assert len(stored()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--every", "monday", "--max-usd", "2"), "a ceiling of $2 a month allows none: name 3 or more"),
        (("--every", "monday", "--max-usd", "nan"), "name one above 0"),
        (("--every", "munday", "--max-usd", "9"), "`munday` is no day, did you mean `sunday`?"),
        (("--every", "hour", "--max-usd", "9"), "`hour` is no day: write"),
        (("--cron", "0 0 30 2 *", "--max-usd", "9"), "is never due"),
        (("--cron", "*/2 * * * *", "--max-usd", "9"), "more than once an hour"),
        (("--every", "day", "--timezone", "Mars/Base", "--max-usd", "9"), "there is no time zone `Mars/Base`"),
        (("--max-usd", "9"), "say when"),
        (("--every", "day", "--max", "--max-usd", "4"), "one run may cost $7"),
        (("--every", "day", "--notify", "nobody", "--max-usd", "9"), "has no target `nobody`"),
    ],
)
def test_what_cannot_be_scheduled_is_named_in_one_line_and_nothing_is_stored(
    arguments: tuple[str, ...], says: str
) -> None:
    refused = desk("schedule", "Why are there tides?", *arguments, "--yes")
    assert refused.returncode == (1 if "nobody" in arguments else 2)
    assert says in refused.stderr and refused.stderr.count("\n") == 1
    assert stored() == []


def test_run_due_starts_what_is_due_once_and_follows_it_and_status_says_what_changed(api: Emulator) -> None:
    desk(*TIDES, "--max-usd", "30", "--yes")
    assert desk("run-due").stdout == ""
    come_due(weeks=2)
    assert "overdue" in desk("schedules").stdout
    first = desk("run-due")
    assert re.fullmatch(r"job_\w+ is completed\.\n", first.stdout)
    assert f"{first.stdout.split()[0]}: Why are there tides?" in first.stderr and "searching" in first.stderr
    assert desk("run-due").stdout == ""
    come_due(weeks=1)
    second = json.loads(desk("run-due", "--json").stdout)
    assert len(creates(api)) == 2
    [made] = stored()
    assert second["schedule"] == made.id
    assert second["changes"]["earlier"] == first.stdout.split()[0]
    assert "Nothing has changed since job_" in desk("status", second["job"]).stdout
    shown = desk("schedules", made.id)
    assert f"{second['job']} completed" in shown.stdout
    data = json.loads(desk("schedules", made.id, "--json").stdout)
    assert (len(data["runs"]), data["spent_usd_this_month"], data["max_usd_per_month"]) == (2, 6.0, 30.0)


def test_schedules_are_listed_paused_resumed_and_deleted() -> None:
    desk(*TIDES, "--max-usd", "15", "--yes")
    [made] = stored()
    assert desk("schedules").stdout.startswith(f"{made.id}\tnext Mon")
    assert "paused" in desk("schedules", made.id, "--pause").stdout
    assert json.loads(desk("schedules", "--json").stdout)["status"] == "paused"
    assert "next Mon" in desk("schedules", made.id, "--resume").stdout
    assert desk("schedules", made.id, "--pause", "--delete").returncode == 2
    assert desk("schedules", "--pause").returncode == 2
    assert "is deleted" in desk("schedules", made.id, "--delete").stdout
    gone = desk("schedules", made.id)
    assert gone.returncode == 1 and "there is no schedule" in gone.stderr


def test_a_schedule_of_another_user_is_neither_shown_nor_changed() -> None:
    order = Order("A secret topic", "eve", "s1", "deep-research-preview-04-2026", server="emulator")
    foreign = new_schedule(order, Timing("0 8 * * 1", "UTC"), 9, 0, Quotas())
    stored(add=foreign)
    assert "secret" not in desk("schedules").stdout
    for option in ("--json", "--pause", "--resume", "--delete"):
        refused = desk("schedules", foreign.id, option)
        assert refused.returncode == 1 and "there is no schedule" in refused.stderr


def test_the_line_for_crontab_can_be_run_in_this_folder() -> None:
    line = crontab._crontab_line()
    assert line.startswith("*/15 * * * * cd /") and line.endswith(" run-due")


def test_variables_that_cron_will_lack_are_named_with_the_line_for_crontab(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ADK_DISABLE_LOAD_DOTENV")
    monkeypatch.setenv("GEMINI_API_KEY", "secret-of-the-shell")
    monkeypatch.setenv("DESK_REPORT_FORMATS", "")
    monkeypatch.delenv("DESK_REPORT_FORMATS")  # `.env` sets it; restored after the test
    (tmp_path / ".env").write_text("DESK_REPORT_FORMATS=none\n")
    (folder := tmp_path / "work").mkdir()
    monkeypatch.chdir(folder)
    [told] = [line for line in desk(*TIDES, "--max-usd", "9", "--yes").stderr.splitlines() if "cron lacks" in line]
    for name in ("GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "DESK_BACKEND", "DESK_DATA_DIR"):
        assert name in told
    assert "DESK_REPORT_FORMATS" not in told and "secret-of-the-shell" not in told
    assert told.endswith(f"Write them into {tmp_path / '.env'}")
