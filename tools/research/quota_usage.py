"""Counts what a user has used of the quotas, within a transaction of the ledger."""

from __future__ import annotations

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.research.job import ACTIVE, Job, Kind, State
from tools.research.quotas import LIMIT_PERIOD_S, STILL_RUNS_S
from tools.research.rows import MAX_COST_USD, MAX_TIME_S
from tools.research.spending import Used
from tools.research.tables import JOBS, SPENDING


async def used_by(connection: AsyncConnection, job: Job, now: float) -> Used:
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
    running = (await connection.execute(select(func.count()).where(mine, under_way))).scalar_one()
    may_run = (await connection.execute(select(func.count()).where(deleted))).scalar_one()
    orders, ordered = (
        await connection.execute(select(func.count(), func.coalesce(func.sum(JOBS.c.cost), 0.0)).where(mine, unsent))
    ).one()
    creates, spent = (
        await connection.execute(select(func.coalesce(func.sum(case((create, 1), else_=0)), 0), total).where(of_day))
    ).one()
    plans = (
        await connection.execute(
            select(func.count()).where(
                SPENDING.c.job == job.id,
                SPENDING.c.refused == 0,
                SPENDING.c.kind.in_([Kind.PLAN, Kind.REVISION]),
            )
        )
    ).scalar_one()
    return Used(int(running) + int(may_run), int(creates) + int(orders), float(spent) + float(ordered), int(plans))
