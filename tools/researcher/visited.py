"""Notes which runs of the user's other conversations a conversation speaks about."""

from __future__ import annotations

from google.adk.tools import ToolContext

from tools.research.job import Job

_KEY = "visited_research"
"""Key of the session's state: ids of runs that other conversations have ordered."""


def note_visit(context: ToolContext, job: Job) -> None:
    """Notes that this conversation speaks about a run, if it is of another conversation."""
    known = visited(context)
    if job.order.session != context.session.id and job.id not in known:
        context.state[_KEY] = [*known, job.id]


def visited(context: ToolContext) -> list[str]:
    """Returns the ids of the runs of other conversations that this one speaks about."""
    return list(context.state.get(_KEY, ()))
