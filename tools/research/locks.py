"""Locks with names, shared by all processes on one database: a turn of a conversation, a question about a report.

A lock is a lease, which its holder renews, so that it ends after the death of its process.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy import TextClause, text

from tools.databases.shielded import finish_shielded, shielded
from tools.errors import DeskError
from tools.research.database import Database
from tools.research.database_errors import DATABASE_ERRORS
from tools.research.timeouts import LOCK_LEASE_S

_TAKE = text(
    "INSERT INTO desk_turns (id, owner, lease_until) VALUES (:id, :owner, :until) ON CONFLICT (id) DO UPDATE"
    " SET owner = excluded.owner, lease_until = excluded.lease_until WHERE desk_turns.lease_until < :now"
    " RETURNING id"
)
_KEEP = text("UPDATE desk_turns SET lease_until = :until WHERE id = :id AND owner = :owner RETURNING id")
_RELEASE = text("DELETE FROM desk_turns WHERE id = :id AND owner = :owner")
_HELD = text("SELECT 1 FROM desk_turns WHERE id = :id AND lease_until >= :now")


class Locked(DeskError):
    """Another task, of this or another process, holds the lock."""


@dataclass(frozen=True)
class Locks:
    """The locks in one database."""

    database: Database
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    owner: str = field(default_factory=lambda: secrets.token_hex(8))
    _holding: set[asyncio.Task[object]] = field(default_factory=set)
    _releasing: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def hold(self, name: str, lease_s: float = LOCK_LEASE_S) -> AsyncIterator[None]:
        """Holds a lock. If its lease is lost, cancels the task, because another task may hold the lock then.

        Args:
            lease_s: duration of its lease in seconds, which is renewed after each third.

        Raises:
            Locked: another task holds it.
        """
        owner = f"{self.owner}-{secrets.token_hex(4)}"
        try:
            if not await self._execute(_TAKE, name, owner, lease_s):
                raise Locked(name)
        except asyncio.CancelledError:  # the shielded statement continues, and may take the lease
            self._begin_release(name, owner, interrupted=True)
            raise
        task = asyncio.current_task()
        assert task
        self._holding.add(task)
        keeping = asyncio.create_task(self._keep(name, owner, lease_s, task))
        try:
            yield
        finally:
            self._holding.discard(task)
            keeping.cancel()
            releasing = self._begin_release(name, owner)
            with suppress(*DATABASE_ERRORS):  # if the lease cannot be released, it expires
                await asyncio.shield(releasing)

    @shielded
    async def held(self, name: str) -> bool:
        """Whether any process holds a lock."""
        values = {"id": name, "now": self.clock()}
        return await self.database.read(lambda connection: connection.execute(_HELD, values).first()) is not None

    async def close(self) -> None:
        """Waits until all locks are released, including those of tasks that were just cancelled."""
        if self._holding:
            await asyncio.wait(self._holding, timeout=1)
        await asyncio.gather(*self._releasing, return_exceptions=True)

    async def _keep(self, name: str, owner: str, lease_s: float, task: asyncio.Task[object]) -> None:
        until = self.clock() + lease_s
        while self.clock() < until:
            await self.sleep(lease_s / 3)
            with suppress(*DATABASE_ERRORS):  # the database may be unreachable for a while
                if not await self._execute(_KEEP, name, owner, lease_s):
                    break
                until = self.clock() + lease_s
        task.cancel()

    def _begin_release(self, name: str, owner: str, interrupted: bool = False) -> asyncio.Task[None]:
        async def release() -> None:
            if interrupted:
                await finish_shielded()
            await self._execute(_RELEASE, name, owner)

        releasing = asyncio.create_task(release())
        self._releasing.add(releasing)
        releasing.add_done_callback(self._releasing.discard)
        return releasing

    async def _execute(self, statement: TextClause, name: str, owner: str, lease_s: float = LOCK_LEASE_S) -> bool:
        now = self.clock()
        values = {"id": name, "owner": owner, "now": now, "until": now + lease_s}
        return bool(await self.database.execute(statement, values))
