"""Spending entries: one for each create request of an agent and each question to a model. They are never deleted.

An entry has a time, a user, a job's id, a kind and an estimate, but no contents, so it stays when its job is deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.research.job import Job, Kind
from tools.research.pricing import QUESTION_COST_USD, cost_of

EMULATOR = "emulator"
"""`Spending.server` of runs on the emulator, where nothing is paid."""


@dataclass(frozen=True)
class Spending:
    """One spending entry."""

    time: float
    """Seconds since the epoch."""
    user: str
    job: str
    kind: Kind
    agent: str
    """Name of the agent or the model."""
    estimate: float
    """Highest price in USD."""
    usage: Mapping[str, Any] = field(default_factory=dict)
    """The server's final `usage` (tokens, tool calls); empty if it is not known (yet)."""
    server: str = ""
    """Name of the server, as in `Order.server`; empty in entries of older programs."""
    schedule: str = ""
    """Id of the schedule whose ceiling the entry counts towards; empty if a person asked for it."""


@dataclass(frozen=True)
class Used:
    """A user's share of the limits so far: jobs and spending, and requests for the job that is checked."""

    running: int
    """Number of jobs that run or may run."""
    creates: int
    """Number of create requests for runs, plans and revisions, including those that are about to be sent."""
    usd: float
    plans: int = 0
    """Number of plans and revisions that the checked job has had."""
    questions: int = 0
    """Number of questions about the checked job."""
    waiting: int = 0
    """Number of jobs that wait for a yes."""
    dropped: int = 0
    """Number of jobs that ended before their start in the last 24 hours."""


def spending_of(job: Job, now: float) -> Spending:
    """Builds the entry for the create request that a job is about to send.

    No price is published for a plan, so a plan counts as the lowest price of a run.
    """
    low, high = cost_of(job.order.agent)
    estimate = high if job.kind is Kind.RUN else low
    order = job.order
    return Spending(
        now, order.user, job.id, job.kind, order.agent, estimate, server=order.server, schedule=order.schedule
    )


def spending_of_question(job: Job, model: str, now: float) -> Spending:
    """Builds the entry for a question about a report."""
    return Spending(now, job.order.user, job.id, Kind.QUESTION, model, QUESTION_COST_USD, server=job.order.server)
