"""Runs whole transactions of SQLAlchemy Core: on a SQLite file in one thread, else on the asynchronous engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from sqlite3 import OperationalError
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import StaticPool

from tools.shielded import shielded

R = TypeVar("R")
IDLE_S = 0.1
"""Seconds after which an unused connection to a database server is tested before its next use."""


class Transactions:
    """Runs functions of a connection, each in a transaction of its own, which ends even if the caller is cancelled.

    SQLite's asynchronous driver wakes a thread up for each statement, commit and result. A function that runs in the
    thread as a whole, on a connection that stays open, takes a fifth of the CPU time.

    Args:
        engine: the engine of the database.
        arguments: arguments of the driver's `connect`, for SQLite.
    """

    def __init__(self, engine: AsyncEngine, arguments: dict[str, Any] | None = None) -> None:
        self._engine = engine
        self._thread: ThreadPoolExecutor | None = None
        if engine.dialect.name == "sqlite" and engine.url.database not in (None, "", ":memory:"):
            self._thread = ThreadPoolExecutor(1, "sqlite")
            url = engine.url.set(drivername="sqlite")
            shared = {"check_same_thread": False, **(arguments or {})}  # `close` runs in another thread
            self._in_thread = create_engine(url, connect_args=shared, poolclass=StaticPool, hide_parameters=True)
            event.listen(self._in_thread, "connect", _set_up)

    @shielded
    async def run(self, work: Callable[[Connection], R], *, single: bool = False) -> R:
        """Runs `work` in a transaction and returns its result.

        Args:
            single: `work` is one statement, which a database server commits by itself, without two more round trips.

        Raises:
            sqlalchemy.exc.SQLAlchemyError, OSError: the database does not answer or refuses a statement.
        """
        if self._thread:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)
        if single:
            async with self._engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                return await connection.run_sync(work)
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    def _run(self, work: Callable[[Connection], R]) -> R:
        with self._in_thread.begin() as connection:
            return work(connection)

    def close(self) -> None:
        """Closes the connection of the thread; the owner of the engine closes the engine."""
        if self._thread:
            self._thread.shutdown()
            self._in_thread.dispose()


def ping_when_idle(engine: AsyncEngine) -> None:
    """Tests a pooled connection before its use, but only if it was idle for `IDLE_S` seconds.

    SQLAlchemy's `pool_pre_ping` tests it each time, which takes asyncpg three round trips. A connection that was
    used less than `IDLE_S` ago is not tested: a server cannot have restarted in that time.
    """

    @event.listens_for(engine.sync_engine, "checkin")
    def note(_: object, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def test(connection: Any, record: Any, _: object) -> None:
        if time.monotonic() - record.info.get("idle_since", time.monotonic()) < IDLE_S:
            return
        dialect = engine.sync_engine.dialect
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error  # the pool opens a new connection


def _set_up(connection: Any, _: object) -> None:
    """Makes SQLite check foreign keys, as ADK's session service does, and write each transaction once, to a log.

    The log is written to the disk from time to time: a killed process loses no transaction, a power cut may lose the
    last ones.
    """
    connection.execute("PRAGMA foreign_keys=ON")
    with suppress(OperationalError):  # another process has the lock
        connection.execute("PRAGMA journal_mode=WAL")  # stays set; readers do not wait for writers
    connection.execute("PRAGMA synchronous=NORMAL")
