"""Plays conversations with a progress bar."""

from __future__ import annotations

from collections.abc import Sequence

from google.adk.evaluation.eval_set import EvalSet
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from evals.budget import Budget
from evals.result import Case
from evals.runner import Player
from tools.cli.terminal import err


async def play(player: Player, sets: Sequence[EvalSet], at_once: int, budget: Budget | None = None) -> list[Case]:
    """Plays the conversations of sets, and shows how many are done."""
    columns = (TextColumn("playing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=sum(len(each.eval_cases) for each in sets))
        cases = []
        async for case in player.play(sets, at_once, budget):
            cases.append(case)
            bar.advance(task)
    return cases
