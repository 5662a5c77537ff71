"""Recognizes an order that a user has placed before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from tools.research.job import Job
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.order import Order

_NOT_REUSED = frozenset({State.AWAITING_APPROVAL, State.FAILED, State.CANCELLED, State.EXPIRED})
"""A job in one of these states is not reused when another conversation places the same order."""


async def jobs_of_same_order(ledger: Ledger, jobs: Sequence[Job], order: Order) -> AsyncIterator[Job]:
    """Yields those of some jobs whose order is the same, whatever its conversation, server and attempt.

    Reads the files of one order at a time, since they may be large.

    Args:
        jobs: jobs of the order's user, as `Ledger.find` lists them.
    """
    alike = _key(replace(order, inputs=()))
    # In a thread, because a thousand long briefs take a second.
    listed = await asyncio.to_thread(lambda: [job.id for job in jobs if _key(job.order) == alike])
    for job_id in listed:
        job = await ledger.get(job_id)
        if job and _key(job.order) == _key(order):
            yield job


async def job_of_other_session(ledger: Ledger, jobs: Sequence[Job], order: Order) -> Job | None:
    """Returns the job of the same order in another conversation; None if the order's own conversation has such a job.

    A user who has lost a conversation may order the same again in a new one, and should not pay twice.

    Args:
        jobs: the jobs of the order's user, as `Ledger.find` lists them.
    """
    found: Job | None = None
    async for job in jobs_of_same_order(ledger, jobs, order):
        if job.order.session == order.session:
            return None
        found = found or (job if job.state not in _NOT_REUSED else None)
    return found


def _key(order: Order) -> str:
    return replace(order, session="", server="", attempt=1).key
