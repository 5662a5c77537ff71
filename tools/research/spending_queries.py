"""SQL statements for spending entries and for what a user has used. They run within a transaction of the ledger."""

from __future__ import annotations

import json
from dataclasses import asdict

from sqlalchemy import Update, and_, case, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.research.job import ACTIVE, Job, Kind, State
from tools.research.quotas import LIMIT_PERIOD_S, STILL_RUNS_S
from tools.research.rows import MAX_COST_USD, MAX_TIME_S
from tools.research.spending import Spending, Used
from tools.research.tables import JOBS, SPENDING


def newest_create(job_id: str) -> Update:
    """Returns an SQL update of the spending entry of a job's newest create request."""
    creates = select(func.max(SPENDING.c.number)).where(SPENDING.c.job == job_id, SPENDING.c.kind != Kind.QUESTION)
    return update(SPENDING).where(SPENDING.c.job == job_id, SPENDING.c.number == creates.scalar_subquery())


async def record_spending(connection: AsyncConnection, entry: Spending) -> None:
    """Adds a spending entry, with the next number within its job."""
    number = select(func.coalesce(func.max(SPENDING.c.number), 0) + 1).where(SPENDING.c.job == entry.job)
    values = {**asdict(entry), "number": number.scalar_subquery(), "usage": json.dumps(dict(entry.usage)), "refused": 0}
    await connection.execute(insert(SPENDING).values(**values))


async def lock_user(connection: AsyncConnection, user: str) -> None:
    """Locks a user's spending until the end of the transaction."""
    if connection.dialect.name == "postgresql":  # SQLite lets one transaction write at a time anyway
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:user))"), {"user": f"desk {user}"})
    else:
        await connection.execute(update(JOBS).where(JOBS.c.id == "").values(updated=0))  # takes the write lock


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
