"""The contents of the pages: turns jobs, spending and reports into plain values for the templates. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tools.board.errors import sentence
from tools.research.job import Job
from tools.research.job_states import ACTIVE, State
from tools.research.job_texts import title
from tools.research.pricing import QUESTION_COST_USD, RUN_MINUTES, cost_of, price_range
from tools.research.quotas import LIMIT_PERIOD_S
from tools.research.spending import Spending, spending_of
from tools.text.time_formats import to_minute

JOBS_PER_PAGE = 30
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


@dataclass(frozen=True)
class Row:
    """One research run in the list."""

    id: str
    title: str
    phase: Phase
    label: str
    age: str
    created: str
    spent: str


@dataclass(frozen=True)
class ListPage:
    """The list of a user's research runs."""

    rows: Sequence[Row]
    page: int
    pages: int
    spent_today: str
    """Highest estimate of what the user spent in the last 24 hours."""
    limit: str
    """The user's limit for 24 hours."""
    live: bool
    """Whether a run changes by itself, so that the page should be shown again soon."""


@dataclass(frozen=True)
class Answer:
    """A question about a report and its answer, as safe HTML."""

    question: str
    html: str


@dataclass(frozen=True)
class JobPage:
    """One research run."""

    id: str
    title: str
    brief: str
    name: str
    """The title that the person gave; it may be empty."""
    phase: Phase
    label: str
    seen: str
    """State and version of the job: a form sends it back, so that nothing is done to a job that has changed."""
    agent: str
    price: str
    time: str
    plan_price: str
    question_price: str
    has_plan: bool
    plans_first: bool
    """Whether the next yes starts a plan, and not the run."""
    builds_on: str
    schedule: str
    """Id of the schedule that ordered it; empty if a person ordered it."""
    files: str
    age: str
    created: str
    spent: str
    reason: str
    """The reason why there is no report, or why it may be incomplete."""
    may_have_result: bool
    """Whether the server may have the result after all, so that it helps to look again."""
    may_cost_again: bool
    """Whether repeating the run costs money again."""


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


def list_page(jobs: Sequence[Job], entries: Sequence[Spending], now: float, limit_usd: float, page: int) -> ListPage:
    """Builds the list.

    Args:
        jobs: all of the user's jobs, newest first.
        entries: the user's spending.
        page: number of the page to show, from 1; a number that is too high gives the last page.
    """
    pages = max(-(-len(jobs) // JOBS_PER_PAGE), 1)
    page = min(max(page, 1), pages)
    entries = with_begun(entries, jobs, now)
    spent = spent_by_job(entries)
    here = jobs[(page - 1) * JOBS_PER_PAGE : page * JOBS_PER_PAGE]
    today = sum(entry.estimate for entry in entries if entry.time >= now - LIMIT_PERIOD_S)
    rows = [_row(job, spent.get(job.id, 0.0), now) for job in here]
    live = any(phase(job) == "running" for job in here)
    return ListPage(rows, page, pages, f"${today:.2f}", f"${limit_usd:.2f}", live)


def with_begun(entries: Sequence[Spending], jobs: Iterable[Job], now: float) -> Sequence[Spending]:
    """Returns a user's spending, including orders that begin now, because the limits count them too."""
    begun = [
        spending_of(job, now)
        for job in jobs
        if job.state is State.INTENDED and not any(one.job == job.id and one.time >= job.updated for one in entries)
    ]
    return [*entries, *begun]


def spent_by_job(entries: Sequence[Spending]) -> Mapping[str, float]:
    """Returns the highest estimate of what each job cost so far, in USD."""
    sums = Counter[str]()
    for entry in entries:
        sums[entry.job] += entry.estimate  # type: ignore[assignment]  # typeshed's counters count whole things
    return sums


def files(job: Job) -> str:
    """Returns number and types of the files of a job's order; empty if it has none."""
    kinds = sorted({str(content.get("mime_type", "file")) for content in job.order.inputs})
    return f"{len(job.order.inputs)} ({', '.join(kinds)})" if kinds else ""


def job_page(job: Job, spent: float, now: float, base: Job | None = None, files: str = "") -> JobPage:
    """Builds the page of a job.

    Args:
        spent: highest estimate of what it cost so far, in USD.
        base: the job that it builds on, if that is the user's own.
        files: see `files`.
    """
    row = _row(job, spent, now)
    return JobPage(
        id=job.id,
        title=row.title,
        brief=job.order.brief,
        name=job.order.title,
        phase=row.phase,
        label=row.label,
        seen=seen(job),
        agent=job.order.agent,
        price=price_range(job.order.agent),
        time=f"usually {RUN_MINUTES[0]} to {RUN_MINUTES[1]} minutes",
        plan_price=f"${cost_of(job.order.agent)[0]:g}",
        question_price=f"${QUESTION_COST_USD:.2f}",
        has_plan=job.plan is not None,
        plans_first=job.plan is None and job.request.plans,
        builds_on=title(base) if base else "",
        schedule=job.order.schedule,
        files=files,
        age=row.age,
        created=row.created,
        spent=row.spent,
        reason=_reason(job),
        may_have_result=job.state in (State.EXPIRED, State.STALLED),
        may_cost_again=not job.ended_before_start,
    )


def _reason(job: Job) -> str:
    if job.error:
        return sentence(job.error)
    return _REASONS.get(job.state, "No reason was given.")


def _row(job: Job, spent: float, now: float) -> Row:
    return Row(
        job.id,
        title(job),
        phase(job),
        label(job),
        age(now - job.created),
        to_minute(job.created),
        f"spent: at most ${spent:.2f}" if spent else "nothing spent",
    )


def age(seconds: float) -> str:
    """Formats an age in one unit: "3 minutes ago"."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if (count := int(seconds // size)) > 0:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
