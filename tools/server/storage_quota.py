"""Limits the bytes that a user stores: conversations, files, and tasks of other agents."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from google.adk.artifacts import BaseArtifactService
from sqlalchemy import Connection, text

from tools.app import APP_NAME
from tools.load_control.user_queues import UserQueues
from tools.research.database import Database
from tools.server.artifacts import file_bytes
from tools.server.limits import SMALL_MESSAGE_BYTES
from tools.server.middleware.rate_limit import RateLimited
from tools.server.sessions import CheckedSessions, sum_of_bytes
from tools.server.timeouts import REFUSAL_TTL_S, STORED_BYTES_TTL_S
from tools.text.secret_redaction import redact

log = logging.getLogger(__name__)

COST_FACTOR = 20
"""A count is used for at least this many times the time that it took, so that counting takes little of all time."""

Count = Callable[..., Awaitable[int]]
"""Returns the bytes in one store, of a user or of a user's conversation."""
_FULL_USER = (
    "you have {stored:,.1f} MB of conversations, files and tasks, and may have {maximum:,.0f} MB: delete conversations"
    f" (DELETE /apps/{APP_NAME}/users/me/sessions/ID also deletes their files and tasks) or files"
    " (DELETE …/sessions/ID/artifacts/NAME)"
)
_FULL_CONVERSATION = (
    "this conversation has {stored:,.1f} MB, and may have {maximum:,.0f} MB: begin another one; this one can still be"
    " read, forgotten and deleted"
)


@dataclass
class _Counted:
    stored_bytes: int
    at: float
    took_s: float

    def is_newer(self, kept_s: float, now: float) -> bool:
        return now < self.at + max(kept_s, COST_FACTOR * self.took_s)


@dataclass
class StorageQuota:
    """Refuses requests that store too much. The stores are counted rarely, because counting reads all rows.

    Args:
        max_bytes: maximum bytes of a user, or of a conversation, in all stores together.
        counts: count each store.
        max_bytes_if_small: the maximum for requests of at most `SMALL_MESSAGE_BYTES`, if it is another one.
        refusal: the text for the client.
    """

    max_bytes: int
    counts: Sequence[Count]
    clock: Callable[[], float] = time.monotonic
    max_bytes_if_small: int = 0
    refusal: str = _FULL_USER
    _counted: dict[tuple[str, ...], _Counted] = field(default_factory=dict)
    _queues: UserQueues = field(default_factory=lambda: UserQueues(1))

    async def admit(self, user: str, size: int, *session: str) -> None:
        """Adds a request of `size` bytes, which stores something, to what the user or the conversation has.

        Args:
            session: the id of the conversation, if it is its limit.

        Raises:
            RateLimited: there would be more than the maximum.
        """
        whose = (user, *session)
        maximum = (size <= SMALL_MESSAGE_BYTES and self.max_bytes_if_small) or self.max_bytes
        async with self._queues.of("\n".join(whose)):
            counted = self._counted.get(whose)
            is_over = counted is not None and counted.stored_bytes + size > maximum
            if counted is None or not counted.is_newer(REFUSAL_TTL_S if is_over else STORED_BYTES_TTL_S, self.clock()):
                counted = await self._count(whose)
        if counted.stored_bytes + size > maximum:
            raise RateLimited(self.refusal.format(stored=counted.stored_bytes / 1e6, maximum=self.max_bytes / 1e6))
        counted.stored_bytes += size

    async def _count(self, whose: tuple[str, ...]) -> _Counted:
        begun = self.clock()
        found = await asyncio.gather(*(count(*whose) for count in self.counts), return_exceptions=True)
        stored = sum(each for each in found if isinstance(each, int))
        if errors := [each for each in found if isinstance(each, BaseException)]:
            log.error("what a user stores could not be counted: %s", redact("; ".join(map(repr, errors))))
            known = self._counted.get(whose)
            stored = max(stored, known.stored_bytes if known else 0)
        now = self.clock()
        self._counted = {name: each for name, each in self._counted.items() if each.is_newer(STORED_BYTES_TTL_S, now)}
        self._counted[whose] = _Counted(stored, now, now - begun)
        return self._counted[whose]


def storage_quota(
    max_bytes: int, sessions: CheckedSessions, artifacts: BaseArtifactService, database: Database
) -> StorageQuota:
    """Returns the limit for the stores of the server.

    Args:
        database: the ledger's database, which has the tasks.
    """

    async def of_sessions(user: str) -> int:
        return await sessions.stored_bytes(APP_NAME, user)

    async def of_files(user: str) -> int:
        return await asyncio.to_thread(file_bytes, artifacts, user)

    async def of_tasks(user: str) -> int:
        return await database.read(lambda connection: _task_bytes(connection, user))

    return StorageQuota(max_bytes, (of_sessions, of_files, of_tasks))


def conversation_quota(max_bytes: int, sessions: CheckedSessions) -> StorageQuota:
    """Returns the limit for one conversation, because some requests read all of it."""

    async def of_conversation(user: str, session: str) -> int:
        return await sessions.conversation_bytes(APP_NAME, user, session)

    return StorageQuota(max_bytes, [of_conversation], max_bytes_if_small=2 * max_bytes, refusal=_FULL_CONVERSATION)


def _task_bytes(connection: Connection, user: str) -> int:
    tasks = sum_of_bytes(connection.dialect, "desk_tasks", ("status", "artifacts", "history", "metadata"))
    pushes = sum_of_bytes(connection.dialect, "desk_pushes", ("config_data",))
    query = text(f"SELECT ({tasks} WHERE owner = :user) + ({pushes} WHERE owner = :user)")
    return int(connection.execute(query, {"user": user}).scalar_one())
