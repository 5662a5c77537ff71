"""`desk forget`: deletes a research run."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from tools.cli.arguments import DEFAULT_FOLDER, JobId
from tools.cli.command_run import run
from tools.cli.confirmation import confirm
from tools.cli.report_output import new_service
from tools.cli.terminal import err, out


def forget(
    job_id: JobId,
    yes: Annotated[bool, typer.Option("--yes", help="Delete it without a question.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Delete it here even if a server keeps some of it.")] = False,
) -> None:
    """Delete a research run, its report and its interactions, and show what was deleted."""
    run(_forget(job_id, yes, force))


async def _forget(job_id: str, yes: bool, force: bool) -> None:
    from tools.research.job_texts import title

    service = new_service()
    job = await service.job(job_id)
    if not yes:
        err.print(f"{job.id} ({job.state.words}): {title(job)}", markup=False, soft_wrap=True)
        question = "Delete it with its report, here and at the server? It cannot be undone."
        confirm(question, f"to delete {job.id} without a question: desk forget {job.id} --yes")
    for line in await service.forget(job_id, force=force):
        out.print(escape(line), soft_wrap=True)
    if (copies := DEFAULT_FOLDER / job.id).exists():
        out.print(f"{copies}: left alone, these are your copies", soft_wrap=True, markup=False)
