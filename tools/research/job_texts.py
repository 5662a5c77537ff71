"""Texts about a job that this package needs: its state, its title, why it is stalled, and its report for a model."""

from __future__ import annotations

from collections.abc import Sequence

from tools.interactions.resources import Resource
from tools.research.job import FollowUpAnswer, Job
from tools.research.job_states import State
from tools.research.order import Order
from tools.research.report.markdown_rendering import to_markdown
from tools.research.report.report import Report
from tools.text.time_formats import to_minute
from tools.text.unsafe_characters import without_direction_marks

MAY_BE_FOUND = "; if it was started, a webhook names it when it ends, and its result is saved then"
"""Ends the reason why a start is unknown, if the create request named a webhook."""
NEVER_SHOWN = (
    "the server accepted it and never showed it: every read of its interaction was answered with 404. It may have run,"
    " and may be billed"
)
"""The reason why a job ended whose interaction was never found after its create."""
FOLLOWED_ELSEWHERE = "another process follows this run, or did until a moment ago: waiting for its news"
"""Tells a watcher why this process does not follow a run itself."""
NOT_FOLLOWED = "no process follows research runs: start `desk work`"
"""Tells a watcher why an order is not started, in a process with `DESK_FOLLOW=0`."""


def stall(job: Job, resource: Resource | None, seconds: float, now: float) -> str:
    """Describes why a job is stalled: when it was ordered, when its last news came, and what the server says.

    Args:
        seconds: time since the last news.
        now: seconds since the epoch.
    """
    says = "cannot be read"
    if resource is not None:
        says = f"says {resource.get('status')}, with {len(resource.get('steps') or ())} steps"
    return (
        f"no news for {seconds / 60:.0f} minutes, since {to_minute(now - seconds)}; it was ordered at"
        f" {to_minute(job.created)}; the server {says}"
    )


def report_context(report: Report, answers: Sequence[FollowUpAnswer]) -> str:
    """Formats a report and the later answers about it as Markdown, for a model that cannot continue the interaction."""
    asked = [f"Question: {answer.question}\n\nAnswer: {answer.text}" for answer in answers]
    return "\n\n---\n".join([to_markdown(report).rstrip(), *asked])


def next_command(job: Job) -> str:
    """Returns the command that continues with a job."""
    match job.state:
        case State.AWAITING_APPROVAL:
            return f"desk approve {job.id}, or desk cancel {job.id}"
        case State.INTENDED | State.STARTING | State.RUNNING | State.STALLED:
            return f"desk attach {job.id}"
        case State.START_UNKNOWN:
            return "the same desk research command with --again, if it may be paid for twice"
        case State.COMPLETED | State.INCOMPLETE:
            return f"desk report {job.id}"
        case State.EXPIRED:
            return f"desk attach {job.id} to look again, or the same desk research command with --again"
    return "the same desk research command with --again"


def title(job: Job) -> str:
    """Returns the job's title, or its brief if it has no title, on one line of at most 80 characters."""
    return order_title(job.order)


def order_title(order: Order) -> str:
    """Returns an order's title, or its brief if it has no title, on one line of at most 80 characters."""
    brief = " ".join(without_direction_marks(order.title or order.brief).split())
    return brief if len(brief) <= 80 else f"{brief[:79]}…"
