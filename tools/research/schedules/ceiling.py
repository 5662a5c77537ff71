"""The monthly ceiling of a schedule: what counts towards it, and what it allows."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, func, select

from tools.research.job_states import State
from tools.research.pricing import QUESTION_COST_USD
from tools.research.rows import MAX_COST_USD
from tools.research.schedules.schedule import Schedule
from tools.research.tables import JOBS, SPENDING

MAX_CEILING_USD = 100_000.0
"""Highest ceiling of a schedule, in USD a calendar month."""


def spent_in_month(connection: Connection, schedule: Schedule, now: float) -> float:
    """Returns what the runs of a schedule cost or may cost at most in the calendar month of `now`, in USD."""
    begins, ends = schedule.timing.month(now)
    of_month = and_(
        SPENDING.c.schedule == schedule.id,
        SPENDING.c.refused == 0,
        SPENDING.c.time >= begins,
        SPENDING.c.time < ends,
        SPENDING.c.estimate.between(0, MAX_COST_USD),
    )
    sent = select(func.coalesce(func.sum(SPENDING.c.estimate), 0.0)).where(of_month)
    ordered = select(func.coalesce(func.sum(JOBS.c.cost), 0.0)).where(unsent_orders(), runs_of(schedule))
    return float(connection.execute(sent).scalar_one()) + float(connection.execute(ordered).scalar_one())


def unsent_orders() -> ColumnElement[bool]:
    """Selects the jobs that were never sent."""
    return JOBS.c.state == State.INTENDED


def runs_of(schedule: Schedule) -> ColumnElement[bool]:
    """Selects the jobs of a schedule."""
    return JOBS.c.schedule == schedule.id


def affords_run(schedule: Schedule, spent: float) -> bool:
    """Whether the ceiling allows another run.

    Args:
        spent: what its runs of the month cost or may cost, in USD.
    """
    return _cents(spent + schedule.price) <= _cents(schedule.max_usd)


def affords_description(schedule: Schedule, spent: float, now: float) -> bool:
    """Whether the ceiling allows to ask a model about the changes, and still allows all later runs of the month."""
    left, words = _cents(schedule.max_usd - spent), _cents(QUESTION_COST_USD)
    wanted = schedule.timing.count(now + 1, schedule.timing.month(now)[1])
    runs, then = (min(cents // _cents(schedule.price), wanted) for cents in (left, left - words))
    return left >= words and runs == then


def _cents(usd: float) -> int:
    return round(100 * usd)
