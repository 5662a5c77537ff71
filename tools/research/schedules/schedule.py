"""A schedule: an order that is repeated at certain times, and what its runs may cost in a calendar month. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from enum import StrEnum

from tools.errors import DeskError
from tools.research.ids import id_pattern
from tools.research.job import Job, new_job
from tools.research.order import Order
from tools.research.pricing import cost_of
from tools.research.schedules.timing import Timing

SCHEDULE_ID = id_pattern("sched")
"""Matches the id of a schedule in a message."""
MAX_SCHEDULES = 50
"""Maximum number of schedules of one user."""


class BadSchedule(DeskError):
    """A schedule cannot be made. The message says why, and what to change."""


class UnknownSchedule(DeskError):
    """The user has no such schedule."""


class ScheduleChanged(DeskError):
    """A schedule was changed by another request, so it was not deleted."""


class Status(StrEnum):
    """The status of a schedule."""

    PROPOSED = "proposed"
    """It waits for a person's yes. It starts nothing."""
    ACTIVE = "active"
    PAUSED = "paused"


@dataclass(frozen=True)
class Schedule:
    """An order that is repeated. Times are seconds since the epoch."""

    id: str
    order: Order
    """The order of each run, without `schedule` and `due`."""
    timing: Timing
    max_usd: float
    """Ceiling: what its runs may cost in a calendar month of its time zone, in USD."""
    status: Status
    created: float
    due: float | None = None
    """When the next run is due; a time that was missed stays until a run is started for it. None if not active."""
    last_job: str = ""
    """Id of the job that was ordered last."""
    held: str = ""
    """The reason why the run that is due has to wait; empty if none waits."""

    @property
    def price(self) -> float:
        """Highest price of a run in USD."""
        return cost_of(self.order.agent)[1]

    @property
    def ceiling(self) -> str:
        """The ceiling to the cent, as a person agrees to it: "$15"."""
        return f"${self.max_usd:.2f}".removesuffix(".00")

    @property
    def key(self) -> str:
        """Hash of the order and the times: the same schedule is not made twice, whatever its ceiling and title."""
        order = replace(self.order, session="", attempt=1)
        return hashlib.sha256(json.dumps([order.key, self.timing.cron, self.timing.zone]).encode()).hexdigest()

    @property
    def version(self) -> str:
        """Identifies what a yes approves."""
        return hashlib.sha256(json.dumps([self.key, self.max_usd]).encode()).hexdigest()[:16]

    def job(self, now: float) -> Job:
        """Builds the job of the run that is due."""
        return new_job(replace(self.order, schedule=self.id, due=self.due), now)
