"""The text of a notice, and the data of its webhook. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tools.research.job import Job
from tools.research.job_states import TERMINAL, State
from tools.research.job_texts import next_command, order_title, title
from tools.research.notices.event import Event
from tools.research.notices.outbox import Notice
from tools.research.schedules.report_changes import counts, numbers
from tools.research.schedules.schedule import Schedule
from tools.text.time_formats import iso

MAX_TEXT_CHARS = 3_000
"""Maximum characters of a plan or report in the text of a notice. A webhook has all of it."""

_WORDS = {
    Event.PRICE: "waits for a yes to its price",
    Event.PLAN: "waits for a yes to its plan",
    Event.START_UNKNOWN: "was sent to the server, which did not answer: it may run and be billed",
    Event.STALLED: "has had no news for longer than any run takes",
    Event.COMPLETED: "is completed",
    Event.FAILED: "failed",
    Event.CANCELLED: "was cancelled",
    Event.INCOMPLETE: "ended before it was complete",
    Event.EXPIRED: "is no longer kept by the server",
}
_CEILING = "Schedule {0} has reached its ceiling for this month, so a run that was due is not started."


@dataclass(frozen=True)
class Message:
    """A message to a target."""

    id: str
    """The same for each copy of a notice."""
    event: str
    time: float
    """When it happened, in seconds since the epoch."""
    title: str
    text: str
    data: Mapping[str, Any]

    def webhook(self) -> dict[str, Any]:
        """Returns the body of a webhook."""
        return {"type": f"research.{self.event}", "timestamp": iso(self.time), "data": dict(self.data)}


def event_of(notice: Notice, job: Job) -> Event | None:
    """Returns the event of a notice; None if the question, the stall or the unknown start that it is about is over."""
    if notice.state not in TERMINAL and notice.state != job.state:
        return None
    if notice.state != State.AWAITING_APPROVAL:
        return Event(notice.state)
    return Event.PLAN if job.plan and not job.plan.approved else Event.PRICE


def ceiling_message(notice: Notice, schedule: Schedule, *, contents: bool, public_url: str) -> Message:
    """Builds the message about a schedule that has reached its ceiling.

    Args:
        contents, public_url: as in `message`.
    """
    lines, data = [_CEILING.format(schedule.id)], {"schedule": schedule.id, "max_usd": schedule.max_usd}
    heading = f"Research ceiling: {schedule.id}"
    if not public_url:
        data["next"] = f"desk schedules {schedule.id}"
        lines.append(f"Next: {data['next']}")
    if contents:
        data |= {"title": order_title(schedule.order), "brief": schedule.order.brief}
        heading = f"{heading}, {data['title']}"
    return Message(notice.id, Event.CEILING, notice.created, heading, "\n\n".join(lines), data)


def message(notice: Notice, event: Event, job: Job, report: str | None, *, contents: bool, public_url: str) -> Message:
    """Builds the message of a notice.

    Args:
        report: the job's report as Markdown, if it has one; used only with `contents`.
        contents: whether to include title, brief, error, and plan or report.
        public_url: public address of the desk. If it is set, the text names no command.
    """
    lines = [f"Research run {job.id} {_WORDS[event]}."]
    data: dict[str, Any] = {"job": job.id, "state": str(notice.state)}
    if job.order.schedule:
        data["schedule"] = job.order.schedule
    if job.changes and event is Event.COMPLETED:
        lines.append(counts(job.changes))
        data["changes"] = numbers(job.changes)
    if not public_url:  # a link to the run's page can take this place
        data["next"] = next_command(replace(job, state=State(notice.state)))
        lines.append(f"Next: {data['next']}")
    heading = f"Research {str(event).replace('_', ' ')}: {job.id}"
    if contents:
        body = (job.plan.text if job.plan else "") if event is Event.PLAN else report or ""
        shown = {"plan" if event is Event.PLAN else "report": body, "error": job.error}
        data |= {"title": title(job), "brief": job.order.brief} | {name: text for name, text in shown.items() if text}
        if "changes" in data and job.changes:
            data["changes"] |= {"text": job.changes.text, "words": job.changes.words}
            lines.append(job.changes.words or job.changes.text)
        heading = f"{heading}, {title(job)}"
        lines += filter(None, (job.error, body if len(body) <= MAX_TEXT_CHARS else f"{body[:MAX_TEXT_CHARS]}…"))
    return Message(notice.id, event, notice.created, heading, "\n\n".join(lines), data)


def sample_message(notice_id: str, target: str, now: float) -> Message:
    """Builds the message of `desk test-notice`."""
    text = f"This is a test of the target {target}. Notices about research runs will arrive here."
    return Message(notice_id, "test", now, "Research Desk: test", text, {"target": target})
