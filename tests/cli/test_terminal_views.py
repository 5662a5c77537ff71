"""What commands show on terminals of different widths, and what a script gets instead."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from io import StringIO

import pytest
from rich.cells import cell_len

from interactions_emulator import Emulator
from tests.cli.test_commands import api, desk
from tools.cli.jobs_watch import board
from tools.cli.status import MAX_BRIEF_LINES, show_job
from tools.cli.terminal import Terminal, out, print_indented
from tools.research.job import Job, new_job
from tools.research.job_states import State
from tools.research.order import Order

__all__ = ["api"]
BRIEF = "数据库 🎉 and tides. " * 200


def job_of(user: str = "ada", state: State = State.RUNNING) -> Job:
    return new_job(Order(BRIEF, user, "s1", "deep-research-preview-04-2026"), 1000.0, state)


def shown(monkeypatch: pytest.MonkeyPatch, width: int, *command: str, job: Job | None = None) -> list[str]:
    """The lines that a terminal of this width shows for a command, or for a job."""
    monkeypatch.setattr(out, "_force_terminal", True)
    monkeypatch.setattr(out, "_width", width)
    with out.capture() as captured:
        if job:
            show_job(job, as_json=False, spent=0)
        else:
            assert desk(*command).returncode == 0
    monkeypatch.setattr(out, "_force_terminal", None)
    return [re.sub(r"\x1b\[[\d;]*m", "", line) for line in captured.get().splitlines()]


@pytest.mark.parametrize("width", [50, 80])
def test_status_shortens_a_long_brief_on_a_terminal_and_names_the_option_that_shows_it(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = job_of()
    brief = shown(monkeypatch, width, job=job)[1]
    assert brief.startswith("数据库 🎉 and tides.") and brief.endswith(f"desk status {job.id} --json)")
    assert cell_len(brief) <= width * MAX_BRIEF_LINES
    show_job(job, as_json=False, spent=0)
    assert " ".join(BRIEF.split()) in capsys.readouterr().out


def test_status_shows_a_person_the_whole_brief_that_waits_for_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = job_of(state=State.AWAITING_APPROVAL)
    assert shown(monkeypatch, 80, job=waiting)[1] == " ".join(BRIEF.split())


@pytest.mark.parametrize("width", [50, 80, 100])
def test_the_watch_screen_shows_whole_ids_and_the_brief_in_each_width(width: int) -> None:
    job = job_of()
    terminal = Terminal(width=width, file=StringIO())
    terminal.print(board({State.RUNNING: 1}, [job, replace(job, id="job_99999999")], 1125.0, width))
    lines = terminal.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert job.id in lines[3] and "数据库" in lines[3]
    assert max(map(cell_len, lines)) <= width
    assert "user" not in lines[2]  # both jobs have the same


def test_the_watch_screen_shows_users_if_there_are_several() -> None:
    terminal = Terminal(width=120, file=StringIO())
    terminal.print(board({State.RUNNING: 2}, [job_of("ada"), job_of("bob")], 1125.0, 120))
    lines = terminal.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert "user" in lines[2] and "ada" in lines[3] and "bob" in lines[4]


def test_conversations_are_listed_with_ages_on_a_terminal_and_as_data_for_a_script(
    api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert desk("ask", "hello 你好", "--session", "日本").returncode == 0
    (listed,) = map(json.loads, desk("sessions", "--json").stdout.splitlines())
    assert (listed["session"], listed["begins_with"]) == ("日本", "hello 你好")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", listed["last_used"])
    lines = shown(monkeypatch, 50, "sessions")
    assert max(map(cell_len, lines)) <= 50
    assert "now" in lines[1] and "hello 你好" in lines[1]


def test_what_doctor_finds_is_one_json_object_per_line_for_a_script(api: Emulator) -> None:
    found = [json.loads(line) for line in desk("doctor", "--json").stdout.splitlines()]
    assert {each["what"] for each in found} >= {"versions", "backend", "ledger"}
    assert {each["result"] for each in found} <= {"ok", "warning", "FAILED"}


def test_a_wrapped_line_of_progress_stays_indented() -> None:
    terminal, pipe = (Terminal(width=30, force_terminal=tty, file=StringIO()) for tty in (True, False))
    for console in (terminal, pipe):
        print_indented(console, "Reading: tides are the rise and fall of the sea")
    wrapped = re.sub(r"\x1b\[[\d;]*m", "", terminal.file.getvalue()).splitlines()  # type: ignore[attr-defined]
    assert len(wrapped) == 2 and all(re.match(r"  \S", line) for line in wrapped)
    assert pipe.file.getvalue().count("\n") == 1  # type: ignore[attr-defined]
