"""The ledger: where jobs live, written before the network is touched."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Dialect,
    Float,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    TypeDecorator,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.research.database import Database
from tools.research.job import FOLLOWED, WORKABLE, Answer, Job, State
from tools.research.rows import (
    HIGHEST_COST,
    LATEST_TIME,
    UnreadableJob,
    answers_text,
    job_of,
    plan_text,
    row_of,
)
from tools.sanitize import sanitize
from tools.shielded import finish_shielded, shielded

log = logging.getLogger(__name__)


class _Words(TypeDecorator[str]):
    """Text that each database takes, whoever wrote it: an order may come from a command line."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else sanitize(value)


# Which columns there are is said by the migrations.
_metadata = MetaData()
_tasks = Table("desk_tasks", _metadata, Column("id", _Words), Column("owner", _Words), Column("context_id", _Words))
_pushes = Table("desk_pushes", _metadata, Column("task_id", _Words))
_jobs = Table(
    "research_jobs",
    _metadata,
    Column("id", _Words, primary_key=True),
    Column("key", _Words),
    Column("user", _Words),
    Column("session", _Words),
    Column("brief", _Words),
    Column("agent", _Words),
    Column("options", _Words),
    Column("attempt", Integer),
    Column("state", _Words),
    Column("created", Float),
    Column("updated", Float),
    Column("interaction_id", _Words),
    Column("cursor", _Words),
    Column("events", Integer),
    Column("finished", Float),
    Column("usage", _Words),
    Column("error", _Words),
    Column("report", _Words),
    Column("owner", _Words),
    Column("lease_until", Float),
    Column("line", _Words),
    Column("plan", _Words),
    Column("inputs", _Words),
    Column("cost", Float),
    Column("server", _Words),
    Column("follow_ups", _Words),
    Column("base", _Words),
    Column("previous", _Words),
    Column("started", Float),
    Column("trace", _Words),
)
_lines = Table(
    "research_lines",
    _metadata,
    Column("job", _Words, primary_key=True),
    Column("interaction_id", _Words, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("line", _Words),
)
_listed = [column for column in _jobs.columns if column.name != "report"]


class Ledger:
    """Jobs in one table, by SQLAlchemy URL. Changes of state are compare-and-set, so that two writers agree.

    Args:
        url: its address, see `tools.database_url`.

    Raises:
        LedgerError: the database cannot be opened; from here or from whatever is asked first.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._named: set[str] = set()

    @property
    def url(self) -> URL:
        """Where the jobs are."""
        return self._database.url

    @shielded
    async def add(self, job: Job) -> tuple[Job, bool]:
        """Writes a new job, or finds the one that the same order already has.

        Returns:
            The job as it stands in the ledger, and whether it is new.

        Raises:
            UnreadableJob: the same order has one that cannot be read.
        """
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(_jobs).values(**row_of(job)))
            return job, True
        except IntegrityError:
            found = await self._first(_jobs.c.key == job.order.key)
            if found is None:
                raise
            return found, False

    @shielded
    async def get(self, job_id: str) -> Job | None:
        """The job of that id.

        Raises:
            UnreadableJob: its row is not one.
        """
        return await self._first(_jobs.c.id == job_id)

    @shielded
    async def of_interaction(self, interaction_id: str) -> Job | None:
        """The job that an interaction is the present one of."""
        query = select(*_listed).where(_jobs.c.interaction_id == interaction_id)
        async with self._database.begin() as connection:
            return next(self._readable(await connection.execute(query)), None)

    @shielded
    async def find(
        self,
        *,
        user: str | None = None,
        session: str | None = None,
        states: Collection[State] | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Jobs, newest first, without rows that cannot be read."""
        query = select(*_listed).order_by(_jobs.c.created.desc(), _jobs.c.id)
        if user is not None:
            query = query.where(_jobs.c.user == user)
        if session is not None:
            query = query.where(_jobs.c.session == session)
        if states is not None:
            query = query.where(_jobs.c.state.in_(list(states)))
        jobs: list[Job] = []
        async with self._database.begin() as connection:
            seen = 0
            while wanted := limit - len(jobs):
                rows = (await connection.execute(query.limit(wanted).offset(seen))).all()
                jobs += self._readable(rows)
                seen += len(rows)
                if len(rows) < wanted:
                    break
        return jobs

    @shielded
    async def unreadable(self) -> list[UnreadableJob]:
        """What is wrong with the rows that are left out everywhere else."""
        found = []
        async with self._database.begin() as connection:
            async for row in await connection.stream(select(*_listed).execution_options(yield_per=100)):
                try:
                    job_of(dict(row._mapping))
                except UnreadableJob as error:
                    found.append(error)
        return found

    @shielded
    async def change(self, job_id: str, expected: Collection[State], now: float, **values: Any) -> Job | None:
        """Changes a job if it is in one of the expected states.

        Args:
            values: columns to set: `state`, `interaction_id`, `started`, `cursor`, `events`, `finished`, `usage`,
                `error`, `plan`, `report`.

        Returns:
            The job after the change, or none when it was in another state (somebody else was first).

        Raises:
            UnreadableJob: it was changed, and its row is not a job.
        """
        async with self._database.write() as connection:
            row = await _change(connection, job_id, _jobs.c.state.in_(list(expected)), now, values)
        return job_of(row) if row else None

    async def add_answer(self, job_id: str, answer: Answer) -> Job | None:
        """Writes down what a model answered, after the answers that are there.

        Returns:
            The job with it, or none when there is no such job (any more).
        """
        return await self._change_answers(job_id, lambda answers: [*answers, answer])

    async def drop_answers(self, job_id: str, session: str) -> Job | None:
        """Forgets the answers that were asked for in a conversation."""
        return await self._change_answers(job_id, lambda answers: [a for a in answers if a.session != session])

    @shielded
    async def drop_tasks(self, user: str, session: str) -> int:
        """Forgets what other agents asked in a conversation and were told (`tools/server/a2a.py`); says how many."""
        async with self._database.write() as connection:
            of_session = and_(_tasks.c.owner == user, _tasks.c.context_id == session)
            notified = select(_tasks.c.id).where(of_session)
            await connection.execute(delete(_pushes).where(_pushes.c.task_id.in_(notified)))
            return (await connection.execute(delete(_tasks).where(of_session))).rowcount

    @shielded
    async def _change_answers(self, job_id: str, change: Callable[[Sequence[Answer]], list[Answer]]) -> Job | None:
        while job := await self._first(_jobs.c.id == job_id):
            unchanged = _jobs.c.follow_ups == answers_text(job.follow_ups)
            values = {"follow_ups": answers_text(change(job.follow_ups))}
            async with self._database.write() as connection:
                changed = await _change(connection, job_id, unchanged, job.updated, values)
            if changed:  # else somebody else has changed them meanwhile
                return job_of(changed)
        return None

    @shielded
    async def show(self, job: Job, owner: str, now: float, line: str, cursor: str | None, events: int) -> bool:
        """Writes down a line of progress. False: the job is not this owner's to follow any more."""
        theirs = and_(_jobs.c.state.in_(list(FOLLOWED)), _jobs.c.owner == owner)
        values = {"state": State.RUNNING, "line": line, "cursor": cursor, "events": events}
        shown = (_lines.c.job == job.id) & (_lines.c.interaction_id == job.interaction_id)
        number = select(func.coalesce(func.max(_lines.c.number), 0) + 1).where(shown).scalar_subquery()
        row = {"job": job.id, "interaction_id": job.interaction_id, "number": number, "line": line}
        async with self._database.write() as connection:
            if not await _change(connection, job.id, theirs, now, values):
                return False
            await connection.execute(insert(_lines).values(row))
            return True

    @shielded
    async def lines(self, job: Job) -> list[str]:
        """The lines of progress of a job's present interaction, oldest first."""
        query = select(_lines.c.line).where(_lines.c.job == job.id, _lines.c.interaction_id == job.interaction_id)
        async with self._database.begin() as connection:
            return [*(await connection.execute(query.order_by(_lines.c.number))).scalars()]

    @shielded
    async def report(self, job_id: str) -> str | None:
        """The finished report as JSON (`tools.research.report.to_json`)."""
        async with self._database.begin() as connection:
            return (await connection.execute(select(_jobs.c.report).where(_jobs.c.id == job_id))).scalar()

    @shielded
    async def delete(self, job_id: str) -> None:
        """Forgets a job and its report."""
        async with self._database.write() as connection:
            await connection.execute(delete(_lines).where(_lines.c.job == job_id))
            await connection.execute(delete(_jobs).where(_jobs.c.id == job_id))

    @shielded
    async def count(self, user: str, since: float, states: Collection[State]) -> tuple[int, float]:
        """How many jobs of a user, ordered since then, are in these states, and what they cost at most, in USD."""
        query = select(func.count(), func.coalesce(func.sum(_jobs.c.cost), 0.0)).where(
            _jobs.c.user == user,
            # Neither texts, which SQLite sorts after all numbers, nor what is no number.
            _jobs.c.created.between(since, LATEST_TIME),
            _jobs.c.cost.between(0, HIGHEST_COST),
            _jobs.c.state.in_(list(states)),
        )
        async with self._database.begin() as connection:
            jobs, cost = (await connection.execute(query)).one()
        return int(jobs), float(cost)

    @shielded
    async def by_state(self) -> dict[State, int]:
        """How many jobs there are in each state, of all users and servers."""
        query = select(_jobs.c.state, func.count()).where(_jobs.c.state.in_(list(State))).group_by(_jobs.c.state)
        async with self._database.begin() as connection:
            counts = {State(state): int(count) for state, count in await connection.execute(query)}
        return {state: counts.get(state, 0) for state in State}

    @shielded
    async def lease(self, job_id: str, owner: str, now: float, seconds: float) -> bool:
        """Takes the right to work on a job, or takes it again.

        Returns:
            False: there is nothing to do, or somebody else has the right, and has not run out of time.
        """
        free = and_(
            _jobs.c.id == job_id, _jobs.c.state.in_(list(WORKABLE)), or_(_jobs.c.owner == owner, _abandoned(now))
        )
        query = update(_jobs).where(free).values(owner=owner, lease_until=now + seconds)
        async with self._database.begin() as connection:
            if (await connection.execute(select(_jobs.c.id).where(free))).first() is None:
                return False  # asked every second by whoever waits: no writing for that
        async with self._database.write() as connection:
            return bool((await connection.execute(query)).rowcount == 1)

    @shielded
    async def renew(self, owner: str, now: float, seconds: float) -> set[str]:
        """Renews all rights of an owner to work on jobs: the jobs that are the owner's still, and not over."""
        theirs = and_(_jobs.c.state.in_(list(WORKABLE)), _jobs.c.owner == owner)
        query = update(_jobs).where(theirs).values(lease_until=now + seconds).returning(_jobs.c.id)
        async with self._database.write() as connection:
            return {*(await connection.execute(query)).scalars()}

    @shielded
    async def unlease(self, job_id: str, owner: str) -> None:
        """Hands the right to follow a job back."""
        query = update(_jobs).where(_jobs.c.id == job_id, _jobs.c.owner == owner)
        async with self._database.write() as connection:
            await connection.execute(query.values(owner=None, lease_until=None))

    @shielded
    async def abandoned(self, server: str, now: float, states: Collection[State], before: float) -> list[Job]:
        """Jobs of a server in these states that nobody works on and that have not changed since, oldest first."""
        query = select(*_listed).where(
            _jobs.c.state.in_(list(states)), _jobs.c.server == server, _jobs.c.updated < before, _abandoned(now)
        )
        async with self._database.begin() as connection:
            return [*self._readable(await connection.execute(query.order_by(_jobs.c.created)))]

    async def close(self) -> None:
        """Ends all connections, after what was begun."""
        await finish_shielded()
        await self._database.close()

    async def _first(self, condition: Any) -> Job | None:
        async with self._database.begin() as connection:
            row = (await connection.execute(select(*_listed).where(condition))).first()
        return job_of(dict(row._mapping)) if row else None

    def _readable(self, rows: Iterable[Row[Any]]) -> Iterator[Job]:
        """The jobs of rows; one that is none is named in the log, once, and costs nobody else theirs."""
        for row in rows:
            try:
                yield job_of(dict(row._mapping))
            except UnreadableJob as error:
                if error.job_id not in self._named:
                    self._named.add(error.job_id)
                    log.warning("%s", error)


def _abandoned(now: float) -> ColumnElement[bool]:
    return or_(_jobs.c.owner.is_(None), _jobs.c.lease_until < now)


async def _change(
    connection: AsyncConnection, job_id: str, condition: ColumnElement[bool], now: float, values: dict[str, Any]
) -> dict[Any, Any] | None:
    """The row after the change. It is read as a job only when it is written, so that no bad value undoes a good one."""
    if "usage" in values:
        values["usage"] = json.dumps(values["usage"])
    if "plan" in values:
        values["plan"] = plan_text(values["plan"])
    query = update(_jobs).where(_jobs.c.id == job_id, condition).values(updated=now, **values)
    row = (await connection.execute(query.returning(*_listed))).first()
    return dict(row._mapping) if row else None
