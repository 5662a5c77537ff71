"""`desk jobs --watch` shows all of the ledger, what is unfinished first, and keeps itself up to date."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from io import StringIO

import pytest
from rich.console import Console

from tests.conftest import ROOT
from tests.forks import run
from tools.cli.jobs import show_jobs
from tools.cli.jobs_watch import age, board
from tools.cli.terminal import Terminal
from tools.research.job import new_job
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.settings import load_settings


def test_the_job_board_counts_jobs_and_shows_each_on_one_line() -> None:
    order = Order("The tides\nof [the] sea", "ada", "s1", "deep-research-preview-04-2026")
    console = Console(width=140, record=True)
    console.print(board({State.RUNNING: 3, State.FAILED: 0}, [new_job(order, 1000.0, State.RUNNING)], 1125.0, 140))
    lines = console.export_text().splitlines()
    assert lines[0].split() == ["running", "3"]
    assert "2m 5s" in lines[3]
    assert "The tides of [the] sea" in lines[3]


def test_the_job_board_strips_terminal_escape_sequences_from_a_brief() -> None:
    order = Order("\x1b]52;c;cHduZWQ=\x07tides\x9b2J\x1b[2J", "ada\x1b[1A", "s1", "deep-research-preview-04-2026")
    terminal = Terminal(width=140, force_terminal=True, file=StringIO())
    terminal.print(board({State.RUNNING: 1}, [new_job(order, 1000.0, State.RUNNING)], 1125.0, 140))
    shown = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "tides" in shown
    assert not any(told in shown for told in ("\x1b]", "\x07", "\x9b", "\x1b[2J", "\x1b[1A"))


def test_no_title_turns_the_direction_of_what_a_terminal_or_a_pipe_shows(capsys: pytest.CaptureFixture[str]) -> None:
    job = new_job(Order("\u202egpj.exe\u2066 [link=a]", "ada", "s1", "deep-research-preview-04-2026"), 1000.0)
    terminal = Terminal(width=140, force_terminal=True, file=StringIO())
    terminal.print(board({State.RUNNING: 1}, [job], 1125.0, 140))
    show_jobs([job], as_json=False)
    for shown in (terminal.file.getvalue(), capsys.readouterr().out):  # type: ignore[attr-defined]
        assert "gpj.exe [link=a]" in shown
        assert not {*"\u202e\u2066"} & {*shown}


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0s"), (59.9, "59s"), (60, "1m 0s"), (7500, "2h 5m"), (93600, "1d 2h")]
)
def test_ages_are_shown_in_at_most_two_units(seconds: float, words: str) -> None:
    assert age(seconds) == words


async def test_the_watch_screen_shows_new_jobs_until_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    ledger = Ledger(load_settings().ledger_url)
    await ledger.add(new_job(Order("tides", "ada", "s1", "deep-research-preview-04-2026"), 1000.0, State.RUNNING))
    screen, process = watching()
    try:
        assert "tides" in until(screen, "tides")
        await ledger.add(new_job(Order("moons", "bob", "s2", "deep-research-preview-04-2026"), 1001.0, State.RUNNING))
        assert "moons" in until(screen, "moons")
        process.send_signal(signal.SIGINT)
        assert process.wait(300) == 130
    finally:
        process.kill()
        await ledger.close()


def test_watch_without_a_terminal_fails_and_says_what_to_do_instead() -> None:
    result = run("tools", "jobs", "--watch")
    assert (result.returncode, "leave it out" in result.stderr) == (2, True)


def watching() -> tuple[int, subprocess.Popen[bytes]]:
    """The command with a terminal of its own, whose other end is given."""
    screen, terminal = pty.openpty()
    return screen, subprocess.Popen([sys.executable, "-m", "tools", "jobs", "--watch"], cwd=ROOT, stdout=terminal)


def until(screen: int, words: str) -> str:
    """All that was drawn until the words are there, or for half a minute."""
    drawn, end = "", time.monotonic() + 30
    while words not in drawn and time.monotonic() < end:
        if select.select([screen], [], [], 1)[0]:
            drawn += os.read(screen, 65536).decode(errors="replace")
    return drawn
