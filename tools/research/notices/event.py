"""The events that notices are about."""

from __future__ import annotations

from enum import StrEnum

from tools.research.job_states import State


class Event(StrEnum):
    """An event that a notice is about."""

    PRICE = "price"
    """A price waits for a yes."""
    PLAN = "plan"
    """A plan waits for a yes."""
    START_UNKNOWN = State.START_UNKNOWN
    STALLED = State.STALLED
    COMPLETED = State.COMPLETED
    FAILED = State.FAILED
    CANCELLED = State.CANCELLED
    INCOMPLETE = State.INCOMPLETE
    EXPIRED = State.EXPIRED
    CEILING = "ceiling"
    """A schedule has reached its ceiling for this month."""
