"""Sets up connections to databases, and replaces those that are closed or lead to another file."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from sqlite3 import OperationalError
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.files.private_files import create_private_file

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


def follow_file(engine: Engine, file: Path) -> None:
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
