"""What was spent: one entry for each create of an agent and each question to a model. Nothing erases them.

An entry says when, who, for which job, what for, and the estimate. It holds no contents, so forgetting a job leaves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.research.job import QUESTION_COST, Job, Kind, cost_of


@dataclass(frozen=True)
class Spending:
    """One entry."""

    time: float
    """Seconds since the epoch."""
    user: str
    job: str
    kind: Kind
    agent: str
    """Name of the agent, or of the model that was asked."""
    estimate: float
    """USD at most."""
    usage: Mapping[str, Any] = field(default_factory=dict)
    """What the server counted at the end (tokens, tool calls), as its `usage` says it; empty: not known (yet)."""


@dataclass(frozen=True)
class Used:
    """What a user has running, and has spent in the last 24 hours."""

    running: int
    """Jobs that run or may run."""
    creates: int
    """Runs, plans and revisions, and orders that are about to be sent."""
    usd: float
    plans: int = 0
    """Plans and revisions of the job in question, ever."""


def spending_of(job: Job, now: float) -> Spending:
    """The entry for the create that a job is about to send.

    No price is published for a plan: it counts for the lower end of a run.
    """
    low, high = cost_of(job.order.agent)
    estimate = high if job.kind is Kind.RUN else low
    return Spending(now, job.order.user, job.id, job.kind, job.order.agent, estimate)


def spending_of_question(job: Job, model: str, now: float) -> Spending:
    """The entry for a question about a report."""
    return Spending(now, job.order.user, job.id, Kind.QUESTION, model, QUESTION_COST)
