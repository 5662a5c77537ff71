"""Builds a schedule, and checks that its ceiling and the user's limits allow a run."""

from __future__ import annotations

from dataclasses import replace

from tools.research.ids import new_id
from tools.research.order import Order
from tools.research.quotas import Quotas
from tools.research.schedules.ceiling import MAX_CEILING_USD, affords_run
from tools.research.schedules.schedule import BadSchedule, Schedule, Status
from tools.research.schedules.timing import Timing


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
    if not affords_run(schedule, 0):
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
