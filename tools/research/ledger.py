"""The ledger: where jobs live, written before the network is touched."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Float, Integer, MetaData, String, Table, Text, insert, select, update
from sqlalchemy.engine import Row, make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable

from tools.research.job import Job, Order, State

_metadata = MetaData()
_jobs = Table(
    "research_jobs",
    _metadata,
    Column("id", String(32), primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("user", String(255), nullable=False, index=True),
    Column("session", String(255), nullable=False, index=True),
    Column("brief", Text, nullable=False),
    Column("agent", String(255), nullable=False),
    Column("options", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("state", String(32), nullable=False),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Column("interaction_id", String(255)),
    Column("cursor", String(255)),
    Column("events", Integer, nullable=False),
    Column("finished", Float),
    Column("usage", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("report", Text),
)
_listed = [column for column in _jobs.columns if column.name != "report"]


class Ledger:
    """Jobs in one table, by SQLAlchemy URL. Changes of state are compare-and-set, so that two writers agree."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        sqlite = self.url.get_backend_name() == "sqlite"
        if sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        # A SQLite connection belongs to the event loop that made it, so none is kept.
        self._engine: AsyncEngine = create_async_engine(
            self.url, **({"poolclass": NullPool, "connect_args": {"timeout": 30}} if sqlite else {})
        )
        self._ready = False

    async def add(self, job: Job) -> tuple[Job, bool]:
        """Writes a new job, or finds the one that the same order already has.

        Returns:
            The job as it stands in the ledger, and whether it is new.
        """
        await self._prepare()
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(_jobs).values(**_row(job)))
            return job, True
        except IntegrityError:
            found = await self._first(_jobs.c.key == job.order.key)
            if found is None:
                raise
            return found, False

    async def get(self, job_id: str) -> Job | None:
        """The job of that id."""
        await self._prepare()
        return await self._first(_jobs.c.id == job_id)

    async def find(self, *, user: str | None = None, session: str | None = None, limit: int = 100) -> list[Job]:
        """Jobs, newest first."""
        await self._prepare()
        query = select(*_listed).order_by(_jobs.c.created.desc()).limit(limit)
        if user is not None:
            query = query.where(_jobs.c.user == user)
        if session is not None:
            query = query.where(_jobs.c.session == session)
        async with self._engine.connect() as connection:
            return [_job(row) for row in await connection.execute(query)]

    async def change(self, job_id: str, expected: Collection[State], now: float, **values: Any) -> Job | None:
        """Changes a job if it is in one of the expected states.

        Args:
            values: columns to set: `state`, `interaction_id`, `cursor`, `events`, `finished`, `usage`, `error`,
                `report`.

        Returns:
            The job after the change, or none when it was in another state (somebody else was first).
        """
        await self._prepare()
        if "usage" in values:
            values["usage"] = json.dumps(values["usage"])
        query = (
            update(_jobs).where(_jobs.c.id == job_id, _jobs.c.state.in_(list(expected))).values(updated=now, **values)
        )
        async with self._engine.begin() as connection:
            changed = (await connection.execute(query)).rowcount == 1
        return await self.get(job_id) if changed else None

    async def report(self, job_id: str) -> str | None:
        """The finished report as JSON (`tools.research.report.to_json`)."""
        await self._prepare()
        async with self._engine.connect() as connection:
            return (await connection.execute(select(_jobs.c.report).where(_jobs.c.id == job_id))).scalar()

    async def close(self) -> None:
        """Ends all connections."""
        await self._engine.dispose()

    async def _prepare(self) -> None:
        if not self._ready:
            async with self._engine.begin() as connection:
                await connection.execute(CreateTable(_jobs, if_not_exists=True))  # others may be at it too
                for index in _jobs.indexes:
                    await connection.execute(CreateIndex(index, if_not_exists=True))
            self._ready = True

    async def _first(self, condition: Any) -> Job | None:
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(*_listed).where(condition))).first()
        return _job(row) if row else None


def _row(job: Job) -> dict[str, Any]:
    order = job.order
    return {
        "id": job.id,
        "key": order.key,
        "user": order.user,
        "session": order.session,
        "brief": order.brief,
        "agent": order.agent,
        "options": json.dumps(dict(order.options), sort_keys=True),
        "attempt": order.attempt,
        "state": job.state,
        "created": job.created,
        "updated": job.updated,
        "interaction_id": job.interaction_id,
        "cursor": job.cursor,
        "events": job.events,
        "finished": job.finished,
        "usage": json.dumps(dict(job.usage)),
        "error": job.error,
    }


def _job(row: Row[Any]) -> Job:
    values = dict(row._mapping)
    order = Order(
        brief=values["brief"],
        user=values["user"],
        session=values["session"],
        agent=values["agent"],
        options=json.loads(values["options"]),
        attempt=values["attempt"],
    )
    return Job(
        id=values["id"],
        order=order,
        state=State(values["state"]),
        created=values["created"],
        updated=values["updated"],
        interaction_id=values["interaction_id"],
        cursor=values["cursor"],
        events=values["events"],
        finished=values["finished"],
        usage=json.loads(values["usage"]),
        error=values["error"],
    )
