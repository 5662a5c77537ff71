"""SQL statements for spending entries. They run within a transaction of the ledger."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, Update, func, insert, select, text, update

from tools.research.job import Kind
from tools.research.rows import stored
from tools.research.spending import Spending
from tools.research.tables import JOBS, SPENDING


def newest_create(job_id: str) -> Update:
    """Returns an SQL update of the spending entry of a job's newest create request."""
    creates = select(func.max(SPENDING.c.number)).where(SPENDING.c.job == job_id, SPENDING.c.kind != Kind.QUESTION)
    return update(SPENDING).where(SPENDING.c.job == job_id, SPENDING.c.number == creates.scalar_subquery())


def record_spending(connection: Connection, entry: Spending) -> None:
    """Adds a spending entry, with the next number within its job."""
    number = select(func.coalesce(func.max(SPENDING.c.number), 0) + 1).where(SPENDING.c.job == entry.job)
    values = {**asdict(entry), "number": number.scalar_subquery(), "usage": stored("usage", entry.usage), "refused": 0}
    connection.execute(insert(SPENDING).values(**values))


def lock_user(connection: Connection, user: str) -> None:
    """Locks a user's spending until the end of the transaction."""
    if connection.dialect.name == "postgresql":  # SQLite lets one transaction write at a time anyway
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:user))"), {"user": f"desk {user}"})
    else:
        connection.execute(update(JOBS).where(JOBS.c.id == "").values(updated=0))  # takes the write lock
