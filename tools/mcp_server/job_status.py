"""Formats the state of a research run as data, and the next step. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tools.mcp_server.limits import MAX_SHOWN_CHARS, MAX_SHOWN_LINE_CHARS
from tools.research.job import Job, Kind
from tools.research.job_states import ACTIVE, State
from tools.research.job_texts import title
from tools.research.pricing import RUN_MINUTES
from tools.text.time_formats import to_minute


def as_data(job: Job, now: float, *, with_line: bool = True) -> dict[str, Any]:
    """Returns the state of a job, and the next step.

    Args:
        now: seconds since the epoch.
        with_line: whether to show the last line of progress.
    """
    end = now if job.finished is None else job.finished
    data = {
        "job": job.id,
        "state": job.state.value,
        "title": title(job),
        "ordered": to_minute(job.created),
        "minutes": round(max(end - job.created, 0) / 60, 1),
        "events": job.events,
        "last_progress": cut(job.line, MAX_SHOWN_LINE_CHARS) if with_line and job.state in ACTIVE else "",
        "builds_on": job.order.base,
        "error": cut(job.error, MAX_SHOWN_CHARS),
        "next": next_step(job),
    }
    return {name: value for name, value in data.items() if value not in ("", 0)}


def next_step(job: Job) -> str:
    """Says which call continues with a job."""
    repeat = "research_start with the same brief and again=true orders a new run, after a yes to its price"
    match job.state:
        case State.AWAITING_APPROVAL:
            return "research_status shows the question; research_approve starts it after the person's yes"
        case State.START_UNKNOWN:
            return f"It may be running and billed, and nothing was sent again. {repeat}: it may then be paid for twice."
        case State.STALLED:
            return f"research_status keeps waiting, research_cancel ends it; {repeat}."
        case State.COMPLETED | State.INCOMPLETE:
            return "research_report shows the report in parts, research_ask answers questions about it"
        case _ if job.state in ACTIVE:
            what = "A plan is made" if job.kind is not Kind.RUN else f"A run takes {RUN_MINUTES[0]} to {RUN_MINUTES[1]}"
            minutes = "" if job.kind is not Kind.RUN else " minutes"
            return f"{what}{minutes} and goes on without you: research_status waits for it, now or in a later session."
    return f"{repeat}."


def listing(jobs: Sequence[Job]) -> list[dict[str, str]]:
    """Returns jobs as short data."""
    return [
        {"job": job.id, "state": job.state.words, "title": title(job), "ordered": to_minute(job.created)}
        for job in jobs
    ]


def cut(text: str, limit: int) -> str:
    """Returns a text, cut at the limit of characters; its length is added if it is cut."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"
