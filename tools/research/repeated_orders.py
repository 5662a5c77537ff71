"""Recognizes an order that a user has placed before, in another conversation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tools.research.job import Job, Order, State

_NOT_REUSED = frozenset({State.AWAITING_APPROVAL, State.FAILED, State.CANCELLED, State.EXPIRED})
"""A job in one of these states is not reused when another conversation places the same order."""


def job_of_other_session(jobs: Iterable[Job], order: Order) -> Job | None:
    """Returns the job of the same order in another conversation; None if the order's own conversation has such a job.

    A user who has lost a conversation may order the same again in a new one, and should not pay twice.

    Args:
        jobs: the jobs of the order's user. A thousand long briefs take a second: call it in a thread.
    """
    same = [job for job in jobs if _is_same(job.order, order)]
    if any(job.order.session == order.session for job in same):
        return None
    return next((job for job in same if job.state not in _NOT_REUSED), None)


def _is_same(known: Order, order: Order) -> bool:
    return replace(known, session="", attempt=1).key == replace(order, session="", attempt=1, server=known.server).key
