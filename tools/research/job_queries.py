"""Reads jobs, their reports and their lines of progress from the ledger's database."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, case, func, select

from tools.databases.shielded import shielded
from tools.research.database import Database
from tools.research.job import Job, JobVersion
from tools.research.job_states import State
from tools.research.lease_queries import unleased
from tools.research.rows import UnreadableJob, job_of
from tools.research.tables import JOB_COLUMNS, JOBS, LINES, LISTED_COLUMNS

log = logging.getLogger(__name__)


class JobQueries:
    """Reads the jobs of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._named: set[str] = set()

    @shielded
    async def get(self, job_id: str, *, with_files: bool = True) -> Job | None:
        """Returns the job with that id; None if there is no such job.

        Args:
            with_files: whether it has the files of its order, which may be large.

        Raises:
            UnreadableJob: its row cannot be read.
        """
        return await self._first(JOBS.c.id == job_id, JOB_COLUMNS if with_files else LISTED_COLUMNS)

    @shielded
    async def find_by_interaction(self, interaction_id: str) -> Job | None:
        """Returns the job whose current interaction has that id; None if there is no such job."""
        query = select(*JOB_COLUMNS).where(JOBS.c.interaction_id == interaction_id)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return next(self._readable(rows), None)

    @shielded
    async def find(
        self,
        *,
        user: str | None = None,
        session: str | None = None,
        states: Collection[State] | None = None,
        schedule: str | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Returns jobs without the files of their orders, newest first. Skips rows that cannot be read."""
        query = select(*LISTED_COLUMNS).order_by(JOBS.c.created.desc(), JOBS.c.id)
        if user is not None:
            query = query.where(JOBS.c.user == user)
        if session is not None:
            query = query.where(JOBS.c.session == session)
        if states is not None:
            query = query.where(JOBS.c.state.in_(list(states)))
        if schedule is not None:
            query = query.where(JOBS.c.schedule == schedule)

        def work(connection: Connection) -> list[Job]:
            jobs, seen = list[Job](), 0
            while wanted := limit - len(jobs):
                rows = connection.execute(query.limit(wanted).offset(seen)).all()
                jobs += self._readable(rows)
                seen += len(rows)
                if len(rows) < wanted:
                    break
            return jobs

        return await self._database.read(work)

    @shielded
    async def find_orphaned(self, server: str, now: float, states: Collection[State], before: float) -> list[Job]:
        """Returns a server's jobs in these states that have no valid lease and did not change since `before`.

        The jobs come without the files of their orders. The oldest is first.
        """
        query = select(*LISTED_COLUMNS).where(JOBS.c.state.in_(list(states)), JOBS.c.updated < before, unleased(now))
        query = query.order_by(JOBS.c.created)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [job for job in self._readable(rows) if job.order.server == server]  # reading normalizes the server

    @shielded
    async def unreadable(self) -> list[UnreadableJob]:
        """Returns one error for each job row that cannot be read. Other queries skip these rows."""
        query = select(*JOB_COLUMNS).execution_options(yield_per=100)

        def work(connection: Connection) -> list[UnreadableJob]:
            found = []
            for row in connection.execute(query):
                try:
                    job_of(dict(row._mapping))
                except UnreadableJob as error:
                    found.append(error)
            return found

        return await self._database.read(work)

    @shielded
    async def lines(self, job: Job) -> list[str]:
        """Returns the progress lines of a job's current interaction, oldest first."""
        query = select(LINES.c.line).where(LINES.c.job == job.id, LINES.c.interaction_id == job.interaction_id)
        query = query.order_by(LINES.c.number)
        return await self._database.read(lambda connection: [*connection.execute(query).scalars()])

    @shielded
    async def versions(self, job_ids: Collection[str]) -> dict[str, JobVersion]:
        """Returns the versions of jobs by their ids, without those that do not exist."""
        lease_until = case((JOBS.c.owner.is_(None), 0.0), else_=func.coalesce(JOBS.c.lease_until, 0.0))
        query = select(JOBS.c.id, JOBS.c.state, JOBS.c.updated, JOBS.c.events, lease_until)
        query = query.where(JOBS.c.id.in_(job_ids))
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {job_id: JobVersion(*values) for job_id, *values in rows}

    @shielded
    async def report(self, job_id: str) -> str | None:
        """Returns the finished report as JSON (`tools.research.report.report.to_json`); None if there is none."""
        query = select(JOBS.c.report).where(JOBS.c.id == job_id)
        return await self._database.read(lambda connection: connection.execute(query).scalar())

    @shielded
    async def reported(self, user: str) -> list[str]:
        """Returns the ids of a user's jobs that have a report, at all servers, newest first."""
        query = select(JOBS.c.id).where(JOBS.c.user == user, JOBS.c.report.is_not(None))
        query = query.order_by(JOBS.c.created.desc(), JOBS.c.id)
        return await self._database.read(lambda connection: [*connection.execute(query).scalars()])

    @shielded
    async def count_by_state(self) -> dict[State, int]:
        """Returns the number of jobs in each state, of all users and servers."""
        query = select(JOBS.c.state, func.count()).where(JOBS.c.state.in_(list(State))).group_by(JOBS.c.state)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return dict.fromkeys(State, 0) | {State(state): int(count) for state, count in rows}

    async def _first(self, condition: Any, columns: Sequence[Any] = JOB_COLUMNS) -> Job | None:
        query = select(*columns).where(condition)
        row = await self._database.read(lambda connection: connection.execute(query).first())
        return job_of(dict(row._mapping)) if row else None

    def _readable(self, rows: Iterable[Row[Any]]) -> Iterator[Job]:
        """Yields the jobs of rows. A row that cannot be read is skipped and logged once."""
        for row in rows:
            try:
                yield job_of(dict(row._mapping))
            except UnreadableJob as error:
                if error.job_id not in self._named:
                    self._named.add(error.job_id)
                    log.warning("%s", error)
