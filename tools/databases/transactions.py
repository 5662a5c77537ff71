"""Runs transactions and single statements of SQLAlchemy Core with little CPU time, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Executable, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool
from sqlalchemy.util import greenlet_spawn

from tools.databases.connections import SetUp, follow_file, set_up_log
from tools.databases.database_url import sqlite_file
from tools.databases.shielded import shielded

R = TypeVar("R")


class Transactions:
    """Runs functions of a connection and single statements, which end even if the caller is cancelled.

    SQLite's asynchronous driver wakes a thread up for each statement, commit and result. A function that runs in the
    thread as a whole, on a connection that stays open, takes a fifth of the CPU time. On PostgreSQL, SQLAlchemy takes
    three times the CPU time of its pool and asyncpg alone.

    Args:
        engine: the engine of the database.
        arguments: arguments of the driver's `connect`, for SQLite.
        set_up: prepares each connection to SQLite.
        threads: how many functions may run at the same time on SQLite.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        arguments: dict[str, Any] | None = None,
        set_up: SetUp = set_up_log,
        threads: int = 1,
    ) -> None:
        self._engine = engine
        self._compiled: dict[Executable, tuple[str, list[str], Mapping[str, Any]]] = {}
        """Maps a statement to its text for asyncpg, the order of its parameters, and their fixed values."""
        if engine.dialect.driver == "asyncpg":
            # Waiting for a free connection is faster than opening one more, which the pool would close after use.
            self._slots = asyncio.Semaphore(cast(QueuePool, engine.pool).size())
        self._threads: ThreadPoolExecutor | None = None
        if engine.dialect.name == "sqlite" and engine.url.database not in (None, "", ":memory:"):
            self._threads = ThreadPoolExecutor(threads, "sqlite")
            url = engine.url.set(drivername="sqlite")
            shared = {"check_same_thread": False, **(arguments or {})}  # any of the threads uses it
            pool: dict[str, Any] = {"poolclass": QueuePool, "pool_size": threads}
            self._in_threads = create_engine(url, connect_args=shared, hide_parameters=True, **pool)
            event.listen(self._in_threads, "connect", set_up)
            if file := sqlite_file(engine.url):
                follow_file(self._in_threads, file)

    async def run(self, work: Callable[[Connection], R]) -> R:
        """Runs `work` in a transaction and returns its result.

        Raises:
            sqlalchemy.exc.SQLAlchemyError, OSError: the database does not answer or refuses a statement.
        """

        def transaction(connection: Connection) -> R:
            with connection.begin():
                return work(connection)

        return await self.connect(transaction)

    @shielded
    async def connect(self, use: Callable[[Connection], R]) -> R:
        """Calls `use` with a connection and returns its result. `use` begins and ends its own transactions.

        Raises:
            sqlalchemy.exc.SQLAlchemyError, OSError: as `run`.
        """
        if self._threads:
            try:
                running = asyncio.get_running_loop().run_in_executor(self._threads, self._connect, use)
            except RuntimeError:  # closed, or the interpreter shuts down and collects metrics for the last time
                return self._connect(use)
            return await running
        async with self._engine.connect() as connection:
            return await connection.run_sync(use)

    @shielded
    async def execute(self, statement: Executable, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Executes one statement, which the database commits by itself, and returns its rows.

        Args:
            statement: one of few statements, since it stays compiled.
            values: its values as the driver takes them: for asyncpg, JSON is text.

        Raises:
            sqlalchemy.exc.SQLAlchemyError, OSError: as `run`.
        """
        if self._engine.dialect.driver == "asyncpg":
            async with self._slots:
                return await greenlet_spawn(self._execute, statement, values)

        def work(connection: Connection) -> Sequence[Sequence[Any]]:
            result = connection.execute(statement, values)
            return result.all() if result.returns_rows else ()

        return await self.run(work)

    def _execute(self, statement: Executable, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        engine = self._engine.sync_engine
        if statement not in self._compiled:
            compiled: Any = statement.compile(dialect=engine.dialect)  # type: ignore[attr-defined]
            self._compiled[statement] = compiled.string, compiled.positiontup or [], compiled.params
        text, names, defaults = self._compiled[statement]
        found = {**defaults, **values}
        driver: Any = engine.dialect.loaded_dbapi
        with engine.connect() as connection:
            pooled: Any = connection.connection.dbapi_connection
            try:
                rows: list[Any] = pooled.run_async(
                    lambda asyncpg: asyncpg.fetch(text, *(found[name] for name in names))
                )
            except (driver.asyncpg.PostgresError, driver.asyncpg.InterfaceError) as error:
                raise DBAPIError(text, None, error, hide_parameters=True) from error
            return rows

    def _connect(self, use: Callable[[Connection], R]) -> R:
        with self._in_threads.connect() as connection:
            return use(connection)

    def close(self) -> None:
        """Closes the connections of the threads; the owner of the engine closes the engine."""
        if self._threads:
            self._threads.shutdown()
            self._in_threads.dispose()
