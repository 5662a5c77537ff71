"""Decides which run a message means, named or not. Records the runs of other conversations that are mentioned."""

from __future__ import annotations

from google.adk.tools import ToolContext

from tools.research.job import Job
from tools.research.job_errors import UnknownJob
from tools.research.service import Research

_KEY = "visited_research"
"""Key of the session's state: ids of runs that other conversations have ordered."""


def note_mentioned_run(context: ToolContext, job: Job) -> None:
    """Records that a run is mentioned in this conversation, if the run is of another conversation."""
    known = mentioned_runs(context)
    if job.order.session != context.session.id and job.id not in known:
        context.state[_KEY] = [*known, job.id]


def mentioned_runs(context: ToolContext) -> list[str]:
    """Returns the ids of the runs of other conversations that are mentioned in this one."""
    return list(context.state.get(_KEY, ()))


async def named_run(service: Research, context: ToolContext, job_id: str) -> Job:
    """Returns the user's run with that id. From now on, the model's list of runs has it.

    Raises:
        UnknownJob: the user has no such run.
    """
    job = await service.own_job(context.session.user_id, job_id.strip().strip("`").casefold())
    if job is None:
        raise UnknownJob(f"the user has no research run {job_id[:40]!r}: say “list” to see all")
    note_mentioned_run(context, job)
    return job


async def unnamed_run(service: Research, context: ToolContext) -> Job | None:
    """Returns the run that is meant if none is named: the conversation's newest unfinished run, else its newest run.

    In a conversation without runs: the user's unfinished run, or else the user's run, if there is exactly one.
    """
    jobs = await service.jobs(context.session.user_id)
    here = [job for job in jobs if job.order.session == context.session.id]
    unfinished = [job for job in here or jobs if job.active]
    if here:
        return (unfinished or here)[0]
    return next((found[0] for found in (unfinished, jobs) if len(found) == 1), None)
