"""A schedule: an order that is repeated at certain times, and what its runs may cost in a calendar month. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from enum import StrEnum

from tools.errors import DeskError
from tools.research.job import Job, Order, id_pattern, new_id, new_job
from tools.research.pricing import QUESTION_COST_USD, cost_of
from tools.research.quotas import Quotas
from tools.research.schedules.timing import Timing

SCHEDULE_ID = id_pattern("sched")
"""Matches the id of a schedule in a message."""
MAX_SCHEDULES = 50
"""Maximum number of schedules of one user."""
MAX_CEILING_USD = 100_000.0


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

    def affords_run(self, spent: float) -> bool:
        """Whether the ceiling allows another run.

        Args:
            spent: what its runs of the month cost or may cost, in USD.
        """
        return _cents(spent + self.price) <= _cents(self.max_usd)

    def affords_description(self, spent: float, now: float) -> bool:
        """Whether the ceiling allows to ask a model about the changes, and still allows all later runs of the month."""
        left, words = _cents(self.max_usd - spent), _cents(QUESTION_COST_USD)
        wanted = self.timing.count(now + 1, self.timing.month(now)[1])
        runs, then = (min(cents // _cents(self.price), wanted) for cents in (left, left - words))
        return left >= words and runs == then


def _cents(usd: float) -> int:
    return round(100 * usd)


def new_schedule(
    order: Order, timing: Timing, max_usd: float, now: float, limits: Quotas, status: Status = Status.ACTIVE
) -> Schedule:
    """Builds a schedule. Its runs make no plan, because no person is there to approve it.

    Raises:
        BadSchedule: the ceiling or a limit of the user allows no run.
        BadTiming: see `Timing.after`.
    """
    options = {name: value for name, value in order.options.items() if name != "collaborative_planning"}
    schedule = Schedule(new_id("sched"), replace(order, options=options), timing, max_usd, status, now)
    if not 0 < max_usd <= MAX_CEILING_USD:  # also refuses NaN
        raise BadSchedule(f"the ceiling is ${max_usd:g} a month: name one above 0 and at most {MAX_CEILING_USD:,.0f}")
    if not schedule.affords_run(0):
        raise BadSchedule(
            f"one run may cost ${schedule.price:g}, so a ceiling of ${max_usd:g} a month allows none: name"
            f" {schedule.price:g} or more"
        )
    if schedule.price > limits.usd_per_day:
        raise BadSchedule(
            f"one run may cost ${schedule.price:g}, and your limit is ${limits.usd_per_day:g} a day: no run could start"
        )
    due = timing.after(now)
    return replace(schedule, due=due if status is Status.ACTIVE else None)
