"""`desk attach`: watches a research run to its end, and saves its report."""

from __future__ import annotations

from tools.cli.arguments import AsJson, Folder, JobId
from tools.cli.command_run import RESEARCH_STOPPED, run
from tools.cli.order_settings import checked_settings
from tools.cli.report_output import Formats, ReportOutput, new_service


def attach(job_id: JobId, folder: Folder = None, formats: Formats = None, as_json: AsJson = False) -> None:
    """Watch a research run to its end and save its report."""
    run(_attach(job_id, ReportOutput(folder, formats, as_json)), RESEARCH_STOPPED)


async def _attach(job_id: str, output: ReportOutput) -> None:
    from tools.research.job_states import State

    service = new_service()
    job = await service.job(job_id)
    if job.state is State.INTENDED:  # `show` sends an unsent job, and its run has to be stored by the server
        checked_settings()
    await output.show(service, job.id)
