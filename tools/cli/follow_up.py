"""`desk follow-up`: asks a model about a finished report."""

from __future__ import annotations

from typing import Annotated

import typer

from tools.cli.arguments import JobId, read_order_text
from tools.cli.command_run import run
from tools.cli.order_settings import checked_settings
from tools.cli.report_output import new_service
from tools.cli.terminal import show_markdown


def follow_up(
    job_id: JobId,
    question: Annotated[
        str, typer.Argument(callback=read_order_text, metavar="QUESTION", help="A question; - reads standard input.")
    ],
) -> None:
    """Ask a model about a finished report."""
    run(_follow_up(job_id, question))


async def _follow_up(job_id: str, question: str) -> None:
    from tools.research.report.markdown_rendering import inert

    settings, service = checked_settings(), new_service()
    answer = await service.follow_ups.ask_once(job_id, question, settings.follow_up_model, limits=settings.limits)
    show_markdown(inert(answer))
