"""`desk jobs --watch`: shows the ledger on one screen and refreshes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tools.cli.terminal import out

if TYPE_CHECKING:
    from tools.research.job import Job
    from tools.research.job_states import State
    from tools.research.ledger import Ledger

REFRESH_INTERVAL_S = 2.0
"""Seconds between two reads of the ledger."""
_STYLES = {
    "running": "green",
    "stalled": "yellow",
    "awaiting_approval": "cyan",
    "start_unknown": "bold red",
    "failed": "red",
    "expired": "red",
    "incomplete": "yellow",
}
_AROUND = 5
"""Number of screen lines that show no job: the counts, the table header, the last line."""


async def watch(ledger: Ledger) -> None:
    """Shows the ledger until Ctrl-C. If the database fails, the last screen stays and the error is shown."""
    from sqlalchemy.exc import SQLAlchemyError

    from tools.research.job_states import TERMINAL, State

    unfinished = frozenset(State) - TERMINAL
    shown, trouble = Group(Text("reading the ledger …", "dim")), ""
    with Live(shown, console=out, screen=True, auto_refresh=False) as live:
        while True:
            rows = max(out.height - _AROUND, 1)
            try:
                counts = await ledger.count_by_state()
                jobs = await ledger.find(states=unfinished, limit=rows)
                jobs += await ledger.find(states=TERMINAL, limit=rows - len(jobs))
                shown, trouble = board(counts, jobs, time.time()), ""
            except (SQLAlchemyError, OSError) as error:
                trouble = f"the ledger does not answer: {str(error).splitlines()[0]}"
            live.update(Group(shown, Text(trouble or "Ctrl-C ends this view, not the runs", style="dim")), refresh=True)
            await asyncio.sleep(REFRESH_INTERVAL_S)


def board(counts: Mapping[State, int], jobs: Sequence[Job], now: float) -> Group:
    """Renders one screen.

    Args:
        counts: number of jobs in the whole ledger by state.
        jobs: the jobs to show, one per row, in this order.
        now: seconds since the epoch, for the ages.
    """
    sums = Text("  ").join(Text(f"{state.words} {n}", _STYLES.get(state, "")) for state, n in counts.items() if n)
    table = Table(box=None, expand=True, pad_edge=False)
    for name, ratio in (("job", 0), ("state", 0), ("age", 0), ("quiet", 0), ("at most", 0), ("user", 1)):
        table.add_column(name, no_wrap=True, ratio=ratio or None, justify="right" if name == "at most" else "left")
    table.add_column("brief", no_wrap=True, ratio=3)
    table.add_column("last line", no_wrap=True, ratio=3)
    for job in jobs:
        running = job.finished is None
        table.add_row(
            job.id,
            Text(job.state.words, _STYLES.get(job.state, "dim")),
            age((job.finished or now) - job.created),
            age(now - job.updated) if running else "",
            f"${job.cost:.2f}",
            escape(job.order.user),
            escape(" ".join(job.order.brief.split())),
            escape(" ".join((job.error or job.line).split())),
        )
    return Group(sums or Text("no research yet", "dim"), "", table)


def age(seconds: float) -> str:
    """Formats a duration in at most two units: 45s, 12m 3s, 2h 5m, 3d 4h."""
    whole = max(int(seconds), 0)
    for size, unit, part, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // part}{smaller}"
    return f"{whole}s"
