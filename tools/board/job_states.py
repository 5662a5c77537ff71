"""The phase of a research run, by what a person can do next, and its state in words. Pure."""

from __future__ import annotations

from typing import Literal

from tools.board.errors import sentence
from tools.research.job import Job
from tools.research.job_states import ACTIVE, State

Phase = Literal["waiting", "running", "unclear", "stalled", "report", "ended"]
"""The phase of a job, by what a person can do next: answer a question, watch, decide a doubt, read, or repeat."""
_LABELS = {
    State.INTENDED: "starting",
    State.STARTING: "starting",
    State.START_UNKNOWN: "unclear whether it started",
    State.STALLED: "no news for a long time",
    State.COMPLETED: "finished",
    State.INCOMPLETE: "ended early",
    State.EXPIRED: "no longer at the server",
}
_REASONS = {
    State.CANCELLED: "It was cancelled.",
    State.EXPIRED: "The server no longer has this run, so there is no report.",
}


def phase(job: Job) -> Phase:
    """Returns what a person can do with a job."""
    match job.state:
        case State.AWAITING_APPROVAL:
            return "waiting"
        case State.START_UNKNOWN:
            return "unclear"
        case State.STALLED:
            return "stalled"
        case state if state in ACTIVE:
            return "running"
        case State.COMPLETED | State.INCOMPLETE:
            return "report"
    return "ended"


def label(job: Job) -> str:
    """Returns the job's state in words."""
    if job.state is State.AWAITING_APPROVAL:
        return f"its {'plan' if job.plan else 'price'} waits for your yes"
    if job.state is State.RUNNING and job.request.plans:
        return "making a plan"
    return _LABELS.get(job.state, str(job.state))


def seen(job: Job) -> str:
    """Returns the stamp of a job's state and version."""
    return f"{phase(job)}:{job.version}"


def reason(job: Job) -> str:
    """Returns why a job has no report, or why its report may be incomplete."""
    if job.error:
        return sentence(job.error)
    return _REASONS.get(job.state, "No reason was given.")
