"""Records which runs of the user's other conversations are mentioned in a conversation."""

from __future__ import annotations

from google.adk.tools import ToolContext

from tools.research.job import Job

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
