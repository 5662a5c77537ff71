"""SQL statements for leases on jobs; `leases.py` holds and renews those of this process."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, or_, select, update

from tools.databases.shielded import shielded
from tools.research.database import Database
from tools.research.job_states import ACTIVE
from tools.research.listen_notify import notification
from tools.research.tables import JOBS


class LeaseQueries:
    """Takes, renews and releases leases on the jobs of a ledger."""

    _database: Database

    @shielded
    async def take_lease(self, job_id: str, owner: str, now: float, seconds: float) -> bool:
        """Takes or renews the lease on a job.

        Returns:
            False if the job needs no work, or another owner holds a valid lease.
        """
        free = and_(
            JOBS.c.id == job_id,
            JOBS.c.state.in_(list(ACTIVE)),
            or_(JOBS.c.owner == owner, unleased(now)),
        )
        found = select(JOBS.c.id).where(free)
        taken = update(JOBS).where(free).values(owner=owner, lease_until=now + seconds)
        if await self._database.read(lambda connection: connection.execute(found).first()) is None:
            return False  # processes that wait for the lease call this at each change: avoid a write
        return await self._database.write(lambda connection: connection.execute(taken).rowcount == 1)

    @shielded
    async def renew_leases(self, owner: str, now: float, seconds: float) -> set[str]:
        """Renews all leases of an owner; returns the ids of active jobs that it still holds."""
        theirs = and_(JOBS.c.state.in_(list(ACTIVE)), JOBS.c.owner == owner)
        query = update(JOBS).where(theirs).values(lease_until=now + seconds).returning(JOBS.c.id)
        return await self._database.write(lambda connection: {*connection.execute(query).scalars()})

    @shielded
    async def release_lease(self, job_id: str, owner: str) -> None:
        """Releases an owner's lease on a job."""
        query = update(JOBS).where(JOBS.c.id == job_id, JOBS.c.owner == owner).values(owner=None, lease_until=None)
        await self._database.write(
            lambda connection: connection.execute(query.returning(JOBS.c.id, *notification(connection))).all()
        )


def unleased(now: float) -> ColumnElement[bool]:
    """Selects jobs without a valid lease."""
    return or_(JOBS.c.owner.is_(None), JOBS.c.lease_until < now)
