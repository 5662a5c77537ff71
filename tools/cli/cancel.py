"""`desk cancel`: cancels a research run."""

from __future__ import annotations

from rich.markup import escape

from tools.cli.arguments import JobId
from tools.cli.command_run import run
from tools.cli.report_output import new_service
from tools.cli.terminal import out
from tools.errors import DeskError


def cancel(job_id: JobId) -> None:
    """Cancel a research run, here and at the server."""
    run(_cancel(job_id))


class NotCancelled(DeskError):
    """The run had ended before it could be cancelled."""


async def _cancel(job_id: str) -> None:
    from tools.research.job_states import State
    from tools.research.notices.delivery import delivering

    service = new_service()
    async with delivering():
        job = await service.cancel(job_id)
    if job.state is not State.CANCELLED:
        raise NotCancelled(f"{job.id} is {job.state.words}, so there is nothing to cancel")
    out.print(f"{job.id} is {job.state.words}. {escape(job.error)}".strip(), soft_wrap=True)
