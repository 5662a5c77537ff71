"""`python -m tests.faults`: plays the matrix with the desk and with a plain `ManagedAgent`, and prints a table."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.faults import baseline
from tests.faults.cells import Cell, cells, every_cell
from tests.faults.ledger_write_kills import FORKS, Kill, every_kill, kills, play_kill
from tests.faults.run import Outcome, play, play_desk, play_everywhere

KINDS = {"lost": "lost", "twice": "doubled", "bytes": "repeated_or_missing", "silent": "silent"}
"""The columns of each side, and the failure that each counts. "unwanted" is left out: it cannot happen in a cell."""
SIDES = ("desk", "ADK")


def main(
    markdown: Annotated[bool, typer.Option(help="Print the table as Markdown, with the sums first.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Play every combination; takes ten times as long.")] = False,
) -> None:
    """Plays the fault matrix. Exit status 1 if the desk fails in a cell."""
    logging.disable(logging.CRITICAL)  # the faults are intended; the table shows their effects
    began = time.monotonic()
    matrix, killed = (every_cell(), every_kill()) if every else (cells(), kills())
    FORKS.set_forkserver_preload([baseline.__name__])
    with ProcessPoolExecutor(
        mp_context=get_context("spawn"), initializer=logging.disable, initargs=(logging.CRITICAL,)
    ) as processors:
        desk = play_everywhere(matrix, play_desk, processors)
        plain = play_everywhere(matrix, baseline.play_managed_agent, processors)
    desk += asyncio.run(play(killed, play_kill))
    plain += asyncio.run(play(killed, baseline.play_managed_agent_kill))
    played: list[Cell | Kill] = [*matrix, *killed]
    groups = [cell.group for cell in played]
    if markdown:
        print_markdown(rows([group.split(":")[0] for group in groups], desk, plain))
        print_markdown(rows(groups, desk, plain))
    else:
        print_table(rows(groups, desk, plain))
    print(f"{len(groups)} cells on either side in {time.monotonic() - began:.0f} s", file=sys.stderr)
    failed = [(cell, o) for cell, o in zip(played, desk, strict=True) if o.bad or o.state not in cell.expected]
    for cell, outcome in failed:
        print(f"{cell}: {outcome}", file=sys.stderr)
    raise typer.Exit(bool(failed))


def rows(groups: Sequence[str], desk: Sequence[Outcome], plain: Sequence[Outcome]) -> list[Sequence[object]]:
    """A row for each group, and one for all."""
    of_group = {
        group: (
            [o for g, o in zip(groups, desk, strict=True) if g == group],
            [o for g, o in zip(groups, plain, strict=True) if g == group],
        )
        for group in dict.fromkeys(groups)
    } | {"all": (desk, plain)}
    return [(group, *counts(ours), *counts(theirs)[1:]) for group, (ours, theirs) in of_group.items()]


def counts(outcomes: Iterable[Outcome]) -> list[int]:
    """The number of cells, and the number of cells with each failure."""
    played = list(outcomes)
    return [len(played), *(sum(getattr(outcome, failure) for outcome in played) for failure in KINDS.values())]


def headers() -> list[str]:
    return ["what goes wrong", "cells", *(f"{side} {kind}" for side in SIDES for kind in KINDS)]


def print_table(rows: Sequence[Sequence[object]]) -> None:
    table = Table(title="A research while things go wrong", row_styles=["", "dim"])
    for header in headers():
        table.add_column(header, justify="left" if header == headers()[0] else "right")
    for row in rows:
        table.add_row(*map(str, row), end_section=row is rows[-2])
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def print_markdown(rows: Sequence[Sequence[object]]) -> None:
    print("\n|", " | ".join(headers()), "|")
    print("|---|", "---:|" * (len(headers()) - 1), sep="")
    for row in rows:
        print("|", " | ".join(map(str, row)), "|")


if __name__ == "__main__":
    typer.run(main)
