"""`desk approve`: says yes to a plan or a price, or asks for another plan."""

from __future__ import annotations

from typing import Annotated

import typer

from tools.cli.arguments import AsJson, Folder, JobId, read_order_text
from tools.cli.command_run import RESEARCH_STOPPED, run
from tools.cli.order_settings import checked_settings
from tools.cli.report_output import Formats, ReportOutput, new_service
from tools.errors import DeskError


def approve(
    job_id: JobId,
    changes: Annotated[
        str | None,
        typer.Option(
            "--changes",
            callback=read_order_text,
            metavar="TEXT",
            help="What to change in the plan; - reads standard input.",
        ),
    ] = None,
    folder: Folder = None,
    formats: Formats = None,
    as_json: AsJson = False,
) -> None:
    """Say yes to a plan or a price, or ask for another plan."""
    run(_approve(job_id, changes, ReportOutput(folder, formats, as_json)), RESEARCH_STOPPED)


class NotWaiting(DeskError):
    """The run is not waiting for a yes."""


async def _approve(job_id: str, changes: str | None, output: ReportOutput) -> None:
    from tools.research.job_states import TERMINAL

    limits, service = checked_settings().limits, new_service()
    job = await service.job(job_id)
    if job.state in TERMINAL:
        raise NotWaiting(f"{job_id} is {job.state.words} and needs no yes: `desk status {job_id}` shows what is next")
    if changes:
        await service.revise(job_id, changes, limits=limits)
    else:
        await service.approve(job_id, limits=limits)
    await output.show(service, job_id)
