"""Runs transactions and single statements of SQLAlchemy Core with little CPU time, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from sqlite3 import OperationalError
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, Executable, create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool
from sqlalchemy.util import greenlet_spawn

from tools.databases.database_url import sqlite_file
from tools.databases.shielded import shielded
from tools.files.private_files import create_private_file

R = TypeVar("R")
SetUp = Callable[[Any, object], None]
"""Prepares a new connection of SQLite's driver; the second argument is SQLAlchemy's record of it."""
IDLE_S = 30.0
"""Seconds after which an unused connection to a database server is tested before its next use."""


def set_up_log(connection: Any, _: object) -> None:
    """Makes SQLite check foreign keys, as ADK's session service does, and write each transaction once, to a log.

    The log is written to the disk from time to time: a killed process loses no transaction, a power cut may lose the
    last ones.
    """
    connection.execute("PRAGMA foreign_keys=ON")
    with suppress(OperationalError):  # another process has the lock
        connection.execute("PRAGMA journal_mode=WAL")  # stays set; readers do not wait for writers
    connection.execute("PRAGMA synchronous=NORMAL")


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
                _follow(self._in_threads, file)

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


def replace_when_closed(engine: AsyncEngine) -> None:
    """Lets a pool open another connection to PostgreSQL if the server has closed the one that is used next.

    SQLAlchemy's `pool_pre_ping` asks the server each time, which takes asyncpg three round trips. asyncpg knows at once
    that a server closed a connection; one that was unused for `IDLE_S` is tested by a round trip, since a network may
    have dropped it silently.
    """

    @event.listens_for(engine.sync_engine, "checkin")
    def note(_: object, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def test(connection: Any, record: Any, _: object) -> None:
        if connection.driver_connection.is_closed():
            raise DisconnectionError
        if time.monotonic() - record.info.get("idle_since", time.monotonic()) < IDLE_S:
            return
        driver: Any = engine.sync_engine.dialect.loaded_dbapi
        try:
            connection.run_async(lambda asyncpg: asyncpg.execute("SELECT 1"))
        except (driver.asyncpg.PostgresError, driver.asyncpg.InterfaceError, OSError) as error:
            raise DisconnectionError from error  # the pool opens a new connection


def _follow(engine: Engine, file: Path) -> None:
    """Creates SQLite's file for its user alone, and lets a pool connect again if the path has become another file.

    A connection that stays open would write to a file that was deleted or replaced, and all that would be lost.
    """
    event.listen(engine, "do_connect", lambda *_: create_private_file(file))

    @event.listens_for(engine, "connect")
    def note(_: object, record: Any) -> None:
        record.info["file"] = _identity(file)

    @event.listens_for(engine, "checkout")
    def test(_: object, record: Any, __: object) -> None:
        if record.info["file"] != _identity(file):
            raise DisconnectionError  # the pool opens a new connection


def _identity(file: Path) -> tuple[int, int] | None:
    """The device and the inode of a file; None if it is missing."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
