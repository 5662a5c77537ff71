"""The fault matrix: whatever goes wrong, no research is lost, paid for twice, repeated, cut short or ended silently."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.baseline import play_managed_agent
from tests.faults.cells import OUTCOME_UNKNOWN, Cell, Stream, cells
from tests.faults.chaos import draw, play_run
from tests.faults.ledger_write_kills import kills, play_kill
from tests.faults.run import Outcome, play, play_desk
from tools.research.job_states import State

GROUPS = [*dict.fromkeys(cell.group for cell in cells())]
CELLS = [cell for group in GROUPS for cell in [c for c in cells() if c.group == group][::24]]
KILLS = [
    kill for group in dict.fromkeys(k.group for k in kills()) for kill in [k for k in kills() if k.group == group][::12]
]
"""One of 24 cells of each group of the matrix, and one of 12 kills: `make faults` plays all."""


@pytest.fixture(scope="module")
def matrix() -> list[tuple[Cell, Outcome]]:
    """The cells and their outcomes."""
    return [*zip(CELLS, asyncio.run(play(CELLS, play_desk)), strict=True)]


@pytest.mark.parametrize("group", GROUPS)
def test_no_fault_loses_doubles_garbles_or_silently_ends_a_research_run(
    group: str, matrix: list[tuple[Cell, Outcome]]
) -> None:
    members = [(cell, outcome) for cell, outcome in matrix if cell.group == group]
    assert [(cell, o) for cell, o in members if o.bad or o.state not in cell.expected] == []
    assert all(o.creates == 1 or cell.create in OUTCOME_UNKNOWN for cell, o in members)


async def test_another_process_finishes_the_run_of_a_killed_process() -> None:
    outcomes = [*zip(KILLS, await play(KILLS, play_kill), strict=True)]
    assert [(kill, o) for kill, o in outcomes if o.bad or o.state not in kill.expected] == []
    assert {o.creates for _, o in outcomes if o.state != State.START_UNKNOWN} == {1}


async def test_random_faults_and_kills_break_no_promise() -> None:
    runs = [draw(seed=1, number=number) for number in range(1, 7)]
    assert [(run, o) for run, o in zip(runs, await play(runs, play_run), strict=True) if o.bad] == []


async def test_the_managed_agent_baseline_succeeds_without_faults_and_fails_after_a_cut() -> None:
    well, cut, ended = await play(
        [Cell(), Cell(stream=Stream("cut", 9)), Cell(stream=Stream("clean early end", 9))], play_managed_agent
    )
    assert (well.state, well.creates, well.bad) == ("answer", 1, False)
    assert (cut.creates, cut.doubled, cut.silent) == (2, True, False)
    assert (ended.creates, ended.doubled, ended.silent) == (2, True, True)
