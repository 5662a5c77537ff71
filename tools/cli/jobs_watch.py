"""`desk jobs --watch`: shows the ledger on one screen and refreshes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, JustifyMethod, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tools.cli.terminal import NARROW_WIDTH, out

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
_RATIOS = {"user": 1, "brief": 3, "last line": 3}
"""Shares of the width that the other columns leave."""
WIDE_WIDTH = 100
"""Width of a screen, in characters, from which all columns are shown."""
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
                shown, trouble = board(counts, jobs, time.time(), out.width), ""
            except (SQLAlchemyError, OSError) as error:
                trouble = f"the ledger does not answer: {str(error).splitlines()[0]}"
            live.update(Group(shown, Text(trouble or "Ctrl-C ends this view, not the runs", style="dim")), refresh=True)
            await asyncio.sleep(REFRESH_INTERVAL_S)


def board(counts: Mapping[State, int], jobs: Sequence[Job], now: float, width: int) -> Group:
    """Renders one screen.

    Args:
        width: width of the screen, in characters.
        counts: number of jobs in the whole ledger by state.
        jobs: the jobs to show, one per row, in this order.
        now: seconds since the epoch, for the ages.
    """
    sums = Text("  ").join(Text(f"{state.words} {n}", _STYLES.get(state, "")) for state, n in counts.items() if n)
    table = Table(box=None, expand=True, pad_edge=False)
    shown = _columns(width, users=len({job.order.user for job in jobs}) > 1)
    for name in shown:
        justify: JustifyMethod = "right" if name == "at most" else "left"
        table.add_column(name, no_wrap=True, ratio=_RATIOS.get(name), justify=justify)
    for job in jobs:
        running = job.finished is None
        cells: dict[str, RenderableType] = {
            "job": job.id,
            "state": Text(job.state.words, _STYLES.get(job.state, "dim")),
            "age": age((job.finished or now) - job.created),
            "quiet": age(now - job.updated) if running else "",
            "at most": f"${job.cost:.2f}",
            "user": escape(job.order.user),
            "brief": escape(" ".join(job.order.brief.split())),
            "last line": escape(" ".join((job.error or job.line).split())),
        }
        table.add_row(*(cells[name] for name in shown))
    return Group(sums or Text("no research yet", "dim"), "", table)


def _columns(width: int, *, users: bool) -> list[str]:
    """Returns the columns that fit a screen. Ids are never cut, because commands need them."""
    if width < NARROW_WIDTH:
        return ["job", "state", "brief"]
    if width < WIDE_WIDTH:
        return ["job", "state", "age", *(["user"] if users else []), "brief"]
    return ["job", "state", "age", "quiet", "at most", *(["user"] if users else []), "brief", "last line"]


def age(seconds: float) -> str:
    """Formats a duration in at most two units: 45s, 12m 3s, 2h 5m, 3d 4h."""
    whole = max(int(seconds), 0)
    for size, unit, part, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // part}{smaller}"
    return f"{whole}s"
