"""The questions that a person answers before something is paid for, and the prices in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tools.mcp_server.job_status import cut
from tools.mcp_server.limits import MAX_PLAN_CHARS, MAX_SHOWN_CHARS
from tools.research.job import Job
from tools.research.job_texts import title
from tools.research.pricing import RUN_MINUTES, price_range
from tools.research.report.markdown_rendering import inert
from tools.research.spending import spending_of


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
        return f"{head}\n\n{cut(inert(job.plan.text), MAX_PLAN_CHARS)}\n\n{cost} Start it for up to ${price(job):g}?"
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
    brief = "\n".join(f"> {line}" for line in cut(inert(job.order.brief), MAX_SHOWN_CHARS).splitlines())
    listed = "\n".join(f"- {fact}" for fact in facts)
    return f"{head}\n\n{brief}\n\n{listed}\n\nNothing was started. {what} for up to ${price(job):g}?"


def revision_question(job: Job, changes: str) -> str:
    """Formats the question whether another plan may be made."""
    cost = f"Make another plan for up to ${revision_price(job):g}, with these changes?"
    return f"Research {job.id}: **{inert(title(job))}**\n\n{cost}\n\n{cut(inert(changes), MAX_SHOWN_CHARS)}"


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
