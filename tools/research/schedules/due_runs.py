"""Decides about a run that is due: it is ordered, waits for the user's limits, or exceeds the ceiling."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update

from tools.research.job import Job
from tools.research.notices.outbox import record_ceiling
from tools.research.quota_usage import used_by
from tools.research.quotas import LimitReached, Quotas, quota_check
from tools.research.rows import row_of
from tools.research.schedules.ceiling import affords_run, runs_of, spent_in_month, unsent_orders
from tools.research.schedules.schedule import Schedule, Status
from tools.research.spending_queries import lock_user
from tools.research.tables import JOBS, SCHEDULES
from tools.research.timeouts import MAX_UNSENT_AGE_S


@dataclass(frozen=True)
class DueOutcome:
    """The result of a run that was due: its job, or the reason why it has no job."""

    job: str = ""
    """Id of the job of the run."""
    held: str = ""
    """The reason why the run has to wait; it is tried again."""
    full: bool = False
    """Whether the ceiling of the month is reached; it is not tried again."""


def has_run_to_start(now: float) -> ColumnElement[bool]:
    """Selects the active schedules with a run that is due, or with an order that was never sent and is too old."""
    unsent = select(JOBS.c.id).where(unsent_orders(), JOBS.c.updated < now - MAX_UNSENT_AGE_S)
    starts = or_(SCHEDULES.c.due <= now, SCHEDULES.c.last_job.in_(unsent))
    return and_(SCHEDULES.c.status == Status.ACTIVE, starts)


def order_due_run(
    connection: Connection, schedule: Schedule, job: Job, next_due: float, limits: Quotas
) -> DueOutcome | None:
    """Orders the run of a schedule that has one to start, within a transaction; see `ScheduleStore.order_due`.

    A run that the ceiling of the month does not allow is left out. One that the limits do not allow is tried again.
    """
    now = job.created
    as_read = and_(
        SCHEDULES.c.id == schedule.id,
        SCHEDULES.c.status == Status.ACTIVE,
        SCHEDULES.c.due == schedule.due,
    )
    is_due = schedule.due is not None and schedule.due <= now
    moved = {"due": next_due if is_due else schedule.due, "held": ""}
    lock_user(connection, schedule.order.user)
    if connection.execute(update(SCHEDULES).where(as_read).values(moved)).rowcount != 1:
        return None
    waiting = connection.execute(select(JOBS.c.id).where(unsent_orders(), runs_of(schedule))).scalar()
    known = and_(JOBS.c.schedule == schedule.id, JOBS.c.due == schedule.due)  # a clock was set back
    if waiting is None and (not is_due or connection.execute(select(JOBS.c.id).where(known)).first()):
        return None
    if waiting is None and not affords_run(schedule, spent_in_month(connection, schedule, now)):
        begins, _ = schedule.timing.month(now)
        record_ceiling(connection, schedule.id, schedule.order.notify, begins, now)
        return DueOutcome(full=True)
    try:
        quota_check(limits, job)(used_by(connection, _with_id(job, waiting), now))
    except LimitReached as error:
        connection.execute(
            update(SCHEDULES).where(SCHEDULES.c.id == schedule.id).values(due=schedule.due, held=str(error))
        )
        return DueOutcome(held=str(error))
    if waiting:
        connection.execute(update(JOBS).where(JOBS.c.id == waiting, unsent_orders()).values(updated=now))
    else:
        connection.execute(insert(JOBS).values(**row_of(job)))
    last = update(SCHEDULES).where(SCHEDULES.c.id == schedule.id).values(last_job=waiting or job.id)
    connection.execute(last)
    return DueOutcome(job=waiting or job.id)


def _with_id(job: Job, job_id: str | None) -> Job:
    """Returns the job with the id of the unsent order that takes its place: the limits do not count a job itself."""
    return replace(job, id=job_id) if job_id else job
