"""Formats what the tools say about a job: its state as data, the question before it costs money, and the next step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tools.research.job import Job, Kind
from tools.research.job_states import ACTIVE, State
from tools.research.job_texts import title
from tools.research.pricing import RUN_MINUTES, price_range
from tools.research.report.markdown_rendering import inert
from tools.research.spending import spending_of
from tools.text.time_formats import to_minute

MAX_SHOWN_CHARS = 2_000
"""Maximum characters of a brief, or of an error, that a result repeats."""
MAX_PLAN_CHARS = 6_000
"""Maximum characters of a plan that a result shows; a plan of Deep Research has about 1,500."""


def price(job: Job) -> float:
    """Returns the upper price in USD of the next step after a yes: a plan, a run, or the run of a plan."""
    plan = job.plan and replace(job.plan, approved=True)
    return spending_of(replace(job, plan=plan), 0).estimate


def revision_price(job: Job) -> float:
    """Returns the upper price in USD of another plan."""
    plan = job.plan and replace(job.plan, approved=False)
    return spending_of(replace(job, plan=plan), 0).estimate


def question(job: Job) -> str:
    """Formats the question whether a waiting job may continue, with all work that its price pays for."""
    head = f"Research {job.id}: **{inert(title(job))}**"
    if job.plan:
        cost = f"The run by this plan costs {price_range(job.order.agent)}."
        return f"{head}\n\n{_cut(inert(job.plan.text), MAX_PLAN_CHARS)}\n\n{cost} Start it for up to ${price(job):g}?"
    facts = [
        f"Agent: {job.order.agent}",
        f"Price: {price_range(job.order.agent)}",
        f"Time: usually {RUN_MINUTES[0]} to {RUN_MINUTES[1]} minutes",
        *([f"Builds on: {job.order.base}"] if job.order.base else []),
    ]
    what = "Start it"
    if job.request.plans:
        facts.append(f"First comes a plan, counted as ${price(job):g}; the run itself needs another yes.")
        what = "Make the plan"
    brief = "\n".join(f"> {line}" for line in _cut(inert(job.order.brief), MAX_SHOWN_CHARS).splitlines())
    listed = "\n".join(f"- {fact}" for fact in facts)
    return f"{head}\n\n{brief}\n\n{listed}\n\nNothing was started. {what} for up to ${price(job):g}?"


def revision_question(job: Job, changes: str) -> str:
    """Formats the question whether another plan may be made."""
    cost = f"Make another plan for up to ${revision_price(job):g}, with these changes?"
    return f"Research {job.id}: **{inert(title(job))}**\n\n{cost}\n\n{_cut(inert(changes), MAX_SHOWN_CHARS)}"


def ask_first(job: Job) -> dict[str, Any]:
    """Returns the fields of a result that asks the person about a waiting job."""
    then = f"research_approve with job={job.id} and max_usd={price(job):g}"
    change = f"For another plan, ${revision_price(job):g} more: research_revise. " if job.plan else ""
    return {
        "show_to_person": question(job),
        "price_usd_at_most": price(job),
        "next": f"Show `show_to_person` to the person and wait for the answer; never answer it yourself. After a yes:"
        f" {then}. After a no: research_cancel. {change}It costs nothing while it waits.",
    }


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
        "last_progress": _cut(job.line, 500) if with_line and job.state in ACTIVE else "",
        "builds_on": job.order.base,
        "error": _cut(job.error, MAX_SHOWN_CHARS),
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


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"
