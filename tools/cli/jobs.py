"""`desk jobs`: lists research runs."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.markup import escape

from tools.cli.command_run import run
from tools.cli.job_data import ago, as_data, one_line
from tools.cli.terminal import NARROW_WIDTH, out, print_fields, print_json
from tools.research.job import Job
from tools.text.time_formats import to_second


def jobs(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show the whole ledger, kept up to date.")] = False,
) -> None:
    """List research runs, newest first."""
    if watch and (as_json or not out.is_terminal):
        raise typer.BadParameter("--watch needs a terminal, and no --json: leave it out to list the runs once")
    run(_watch() if watch else _jobs(as_json))


async def _watch() -> None:
    from tools.cli.jobs_watch import watch
    from tools.research.ledger import Ledger
    from tools.settings import load_settings

    ledger = Ledger(load_settings().ledger_url)
    try:
        await watch(ledger)
    finally:
        await ledger.close()


async def _jobs(as_json: bool) -> None:
    from tools.research.ledger import Ledger
    from tools.settings import load_settings

    ledger = Ledger(load_settings().ledger_url)
    found = await ledger.find()
    await ledger.close()
    show_jobs(found, as_json)


def show_jobs(found: list[Job], as_json: bool) -> None:
    """Prints jobs: as columns that fit a terminal, as lines with tabs in a pipe, or as one JSON object per line."""
    if as_json:
        for job in found:
            print_json(as_data(job))
    elif not out.is_terminal:
        from tools.research.job_texts import title

        for job in found:
            print_fields(job.id, job.state.words, to_second(job.created), title(job))
    elif not found:
        out.print('No research yet. Start one: desk research "…"')
    else:
        out.print(_columns(found, time.time()))


def _columns(found: list[Job], now: float) -> Any:
    from rich.table import Table

    narrow = out.width < NARROW_WIDTH
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, expand=True)
    for name in ("job", "state", "started"):
        table.add_column(name, no_wrap=True)
    table.add_column("brief", no_wrap=True, ratio=1)
    for job in found:
        table.add_row(job.id, job.state.words, ago(now - job.created, short=narrow), escape(one_line(job)))
    return table
