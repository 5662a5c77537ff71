"""LISTEN and NOTIFY of PostgreSQL: how the database announces changed jobs to other processes. SQLite has none."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Connection, func

from tools.load_control.backoff import backoff_s, spread_wait
from tools.research.database import Database
from tools.research.tables import JOBS
from tools.research.timeouts import (
    FIRST_LISTEN_WAIT_S,
    LISTEN_CHECK_INTERVAL_S,
    LISTEN_CHECK_TIMEOUT_S,
    MAX_LISTEN_WAIT_S,
)

log = logging.getLogger(__name__)

CHANNEL = "research_jobs"
"""Name of the channel. The payload of a notification is the id of a job."""


def notification(connection: Connection) -> list[ColumnElement[Any]]:
    """Returns the columns for the RETURNING of an UPDATE or DELETE of jobs that announce the change when it commits."""
    return [func.pg_notify(CHANNEL, JOBS.c.id)] if connection.dialect.name == "postgresql" else []


class NotificationListener:
    """Listens on one connection of its own, and connects again when that connection ends.

    Each connection is checked by a notification that another connection sends. The check fails if the connection is
    dead, or behind pgbouncer in transaction mode, which accepts LISTEN but passes no notification on.
    """

    def __init__(self, database: Database, heard: Callable[[str | None], None]) -> None:
        """Args:
        heard: called with the id of a changed job; with None if any job may have changed, because
            notifications have begun or stopped arriving.
        """
        self._database, self._heard = database, heard
        self._arrived = asyncio.Event()
        self._check = f"check {secrets.token_hex(8)}"
        self.working = False
        """Whether notifications arrive."""

    async def run(self) -> None:
        """Listens until the task is cancelled."""
        failures = 0  # in a row
        while True:
            try:
                async with self._database.listen(CHANNEL, self._receive) as ended:
                    while not ended.is_set():
                        await self._check_arrival()
                        self._set_working(True)
                        failures = 0
                        await _wait_for(ended, LISTEN_CHECK_INTERVAL_S)
                why = "the connection ended"
            except TimeoutError:
                why = "they do not arrive, as behind pgbouncer in transaction mode"
            except Exception as error:  # of SQLAlchemy, asyncpg or the network
                why = str(error) or type(error).__name__
            if self.working or not failures:
                log.warning("no notifications of the ledger: %s; watched research runs are read each second", why)
            self._set_working(False)
            wait = backoff_s(failures, FIRST_LISTEN_WAIT_S, MAX_LISTEN_WAIT_S)
            failures += 1
            await asyncio.sleep(spread_wait(wait, 0.0, random.random()))

    def _receive(self, payload: str) -> None:
        if payload == self._check:
            self._arrived.set()
        else:
            self._heard(payload)

    async def _check_arrival(self) -> None:
        self._arrived.clear()
        async with asyncio.timeout(LISTEN_CHECK_TIMEOUT_S):
            notify = func.pg_notify(CHANNEL, self._check).select()
            await self._database.write(lambda connection: connection.execute(notify))
            await self._arrived.wait()

    def _set_working(self, working: bool) -> None:
        if self.working != working:
            self.working = working
            self._heard(None)


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
