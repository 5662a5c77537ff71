"""`desk verify`: checks the sources of a report."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape

from tools.cli.arguments import AsJson, JobId
from tools.cli.command_run import run
from tools.cli.exit_status import ExitStatus
from tools.cli.terminal import err, out, print_fields, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from tools.research.verification.checks import SourceCheck, Verification

STYLES = {"found": "green", "cannot be told": "dim"}
"""Colours of verdicts; the others are red."""


def verify(job_id: JobId, as_json: AsJson = False) -> None:
    """Check whether the sources of a report answer and contain what it cites them for."""
    run(_verify(job_id, as_json))


async def _verify(job_id: str, as_json: bool) -> None:
    from tools.research.factory import research
    from tools.research.report.check_texts import NOT_NAMED
    from tools.research.report.report import Report

    def say(line: str) -> None:
        err.print(f"  {escape(line)}", style="dim", soft_wrap=True)

    report: Report = await research().verify(job_id, say)
    verified, titles = report.verification, {source.number: source.title for source in report.sources}
    if verified is None:  # `verify` always adds the checks
        return
    if as_json:
        print_json({"job": job_id, **_as_data(verified)})
    elif not verified.sources:
        err.print(f"{job_id} cites no sources.")
    else:
        out.print(_table(verified, titles)) if out.is_terminal else _print_lines(verified, titles)
        if all(source.in_run is None for source in verified.sources):
            err.print(NOT_NAMED, soft_wrap=True)
    if verified.doubtful:
        raise typer.Exit(ExitStatus.FLAGGED)


def _as_data(verified: Verification) -> dict[str, Any]:
    sources = [asdict(s) | {"verdict": s.verdict, "remarks": s.remarks} for s in verified.sources]
    shares = {"found_share": verified.found_share, "sound_share": verified.sound_share}
    return {"time": verified.time, "doubtful": verified.doubtful, **shares, "sources": sources}


def _table(verified: Verification, titles: dict[int, str]) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, expand=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("source", no_wrap=True, ratio=3)
    table.add_column("remarks", overflow="fold", ratio=2)
    for source in verified.sources:
        verdict = f"[{STYLES.get(source.verdict, 'red')}]{source.verdict}[/]"
        shown = f"{escape(_title(source, titles))}\n[dim]{escape(source.final_url or source.url)}[/]"
        table.add_row(str(source.number), verdict, shown, escape("; ".join(source.remarks)))
    return table


def _print_lines(verified: Verification, titles: dict[int, str]) -> None:
    for source in verified.sources:
        url, remarks = source.final_url or source.url, "; ".join(source.remarks)
        print_fields(str(source.number), source.verdict, url, _title(source, titles), remarks)


def _title(source: SourceCheck, titles: dict[int, str]) -> str:
    return " ".join((source.title or titles[source.number]).split())
