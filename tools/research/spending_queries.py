"""SQL statements for spending entries."""

from __future__ import annotations

import logging
from dataclasses import asdict

from sqlalchemy import Connection, Update, func, insert, select, text, update

from tools.databases.shielded import shielded
from tools.research.database import Database
from tools.research.job import Job, Kind
from tools.research.quota_usage import used_by
from tools.research.quotas import Check
from tools.research.rows import spending_of_row, stored
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


log = logging.getLogger(__name__)


class SpendingQueries:
    """Writes and reads the spending entries of a ledger."""

    _database: Database

    @shielded
    async def record_spending(self, job: Job, entry: Spending, check: Check | None) -> None:
        """Records the cost of a question to a model. Changes no job.

        Args:
            check: called with what the user has used; nothing is written if it raises.
        """

        def work(connection: Connection) -> None:
            lock_user(connection, job.order.user)
            if check:
                check(used_by(connection, job, entry.time))
            record_spending(connection, entry)

        await self._database.write(work)

    @shielded
    async def spending(self, *, since: float = 0, user: str | None = None) -> list[Spending]:
        """Returns spending entries since a time (epoch seconds), oldest first, without refused create requests."""
        query = select(SPENDING).where(SPENDING.c.time >= since, SPENDING.c.refused == 0)
        query = query.order_by(SPENDING.c.time, SPENDING.c.job, SPENDING.c.number)
        if user is not None:
            query = query.where(SPENDING.c.user == user)
        rows = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        found = list[Spending]()
        for row in rows:
            try:
                found.append(spending_of_row(row))
            except ValueError as error:  # the row was written by hand or by a newer version
                log.warning("entry %s of %s in desk_spending cannot be read: %s", row["number"], row["job"], error)
        return found
