"""`desk run-due`: starts the scheduled runs that are due, and follows them to their end."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from tools.cli.command_run import RESEARCH_STOPPED, options, run
from tools.cli.progress import show_progress
from tools.cli.terminal import err, out, print_json


def run_due(as_json: Annotated[bool, typer.Option("--json", help="One JSON object per run.")] = False) -> None:
    """Start the scheduled runs that are due, and follow them to their end. For cron; costs what the schedules say."""
    run(_run_due(as_json), RESEARCH_STOPPED)


async def _run_due(as_json: bool) -> None:
    from tools.cli.job_data import as_data
    from tools.cli.order_settings import checked_settings
    from tools.research.factory import research
    from tools.research.job_texts import title
    from tools.research.notices.delivery import delivering

    settings, service = checked_settings(), research()
    async with delivering():
        job_ids = [job.id for job in await service.resume()]  # runs whose process died
        job_ids += await service.schedules.start_due(settings.limits)
        for job_id in dict.fromkeys(job_ids):
            job, options.job_id = await service.job(job_id), job_id
            err.print(f"{job.id}: {title(job)}", markup=False, soft_wrap=True)
            await show_progress(service.watch(job_id))
            job = await service.job(job_id)
            if as_json:
                print_json(as_data(job))
            else:
                out.print(f"{job.id} is {job.state.words}. {escape(job.error)}".strip(), soft_wrap=True)
