"""Runs whole transactions of SQLAlchemy Core: on a SQLite file in one thread, else on the asynchronous engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import StaticPool

from tools.shielded import shielded

R = TypeVar("R")


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
            event.listen(self._in_thread, "connect", _check_foreign_keys)

    @shielded
    async def run(self, work: Callable[[Connection], R]) -> R:
        """Runs `work` in a transaction and returns its result.

        Raises:
            sqlalchemy.exc.SQLAlchemyError, OSError: the database does not answer or refuses a statement.
        """
        if self._thread:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)
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


def _check_foreign_keys(connection: Any, _: object) -> None:
    """Makes SQLite check foreign keys, as ADK's session service does."""
    connection.execute("PRAGMA foreign_keys=ON")
