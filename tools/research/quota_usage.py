"""Counts what a user has used of the quotas, within a transaction of the ledger."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from tools.research.job import Job, Kind
from tools.research.job_states import ACTIVE, State
from tools.research.quotas import LIMIT_PERIOD_S, STILL_RUNS_S
from tools.research.rows import MAX_COST_USD, MAX_TIME_S
from tools.research.spending import Used
from tools.research.tables import JOBS, SPENDING


def used_by(connection: Connection, job: Job, now: float) -> Used:
    """Returns what the user of a job has used, not counting the job itself. Call `lock_user` first."""
    user = job.order.user
    # `between` excludes NaN. It also excludes texts, which SQLite sorts after all numbers.
    mine = and_(
        JOBS.c.user == user,
        JOBS.c.id != job.id,
        JOBS.c.created.between(0, MAX_TIME_S),
        JOBS.c.cost.between(0, MAX_COST_USD),
    )
    recent = JOBS.c.updated.between(now - STILL_RUNS_S, MAX_TIME_S)
    under_way = or_(
        JOBS.c.state.in_(list(ACTIVE)),
        and_(or_(JOBS.c.state == State.START_UNKNOWN, JOBS.c.may_run == 1), recent),
    )
    unsent = and_(JOBS.c.state == State.INTENDED, JOBS.c.updated.between(now - LIMIT_PERIOD_S, MAX_TIME_S))
    deleted = and_(SPENDING.c.user == user, SPENDING.c.may_run_until.between(now, MAX_TIME_S))
    of_day = and_(
        SPENDING.c.user == user,
        SPENDING.c.refused == 0,
        SPENDING.c.time.between(now - LIMIT_PERIOD_S, MAX_TIME_S),
        SPENDING.c.estimate.between(0, MAX_COST_USD),
    )
    total, create = func.coalesce(func.sum(SPENDING.c.estimate), 0.0), SPENDING.c.kind != Kind.QUESTION
    running = connection.execute(select(func.count()).where(mine, under_way)).scalar_one()
    may_run = connection.execute(select(func.count()).where(deleted)).scalar_one()
    orders, ordered = (
        connection.execute(select(func.count(), func.coalesce(func.sum(JOBS.c.cost), 0.0)).where(mine, unsent))
    ).one()
    creates, spent = (
        connection.execute(select(func.coalesce(func.sum(case((create, 1), else_=0)), 0), total).where(of_day))
    ).one()
    of_job = (SPENDING.c.job == job.id, SPENDING.c.refused == 0)
    kinds = select(SPENDING.c.kind, func.count()).where(*of_job).group_by(SPENDING.c.kind)
    requests = {kind: int(count) for kind, count in connection.execute(kinds)}
    waits = select(func.count()).where(mine, JOBS.c.state == State.AWAITING_APPROVAL)
    dropped = select(func.count()).where(
        mine, _ended_before_start(), JOBS.c.updated.between(now - LIMIT_PERIOD_S, MAX_TIME_S)
    )
    return Used(
        running=int(running) + int(may_run),
        creates=int(creates) + int(orders),
        usd=float(spent) + float(ordered),
        plans=requests.get(Kind.PLAN, 0) + requests.get(Kind.REVISION, 0),
        questions=requests.get(Kind.QUESTION, 0),
        waiting=int(connection.execute(waits).scalar_one()),
        dropped=int(connection.execute(dropped).scalar_one()),
    )


def _ended_before_start() -> ColumnElement[bool]:
    """As `Job.ended_before_start`."""
    cancelled = and_(JOBS.c.state == State.CANCELLED, JOBS.c.plan.is_(None), JOBS.c.may_run == 0)
    return and_(JOBS.c.interaction_id.is_(None), or_(cancelled, JOBS.c.state == State.FAILED))
