"""Limits how many large conversations are in memory, because each takes several times its bytes while it is loaded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools.load_control.memory_release import LARGE_BYTES
from tools.load_control.user_queues import UserQueues
from tools.server.limits import MAX_LARGE_READS


class LargeReads:
    """Serves requests that read a whole conversation.

    A user has one large conversation at a time in memory, until it is sent.

    Args:
        size: returns the bytes of a user's conversation.
    """

    def __init__(self, size: Callable[[str, str], Awaitable[int]]) -> None:
        self._size, self._users, self._loaded = size, UserQueues(1), asyncio.Semaphore(MAX_LARGE_READS)

    async def serve(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, user: str, session: str) -> None:
        """Serves a request by `app`, once a place is free if the conversation is large.

        Raises:
            sqlalchemy.exc.SQLAlchemyError, OSError: the database does not answer.
        """
        if await self._size(user, session) <= LARGE_BYTES:
            await app(scope, receive, send)
            return
        async with self._users.of(user), _until_sending(self._loaded, send) as loaded:
            await app(scope, receive, loaded)


@asynccontextmanager
async def _until_sending(places: asyncio.Semaphore, send: Send) -> AsyncIterator[Send]:
    """Holds a place until the answer begins: then the conversation is bytes, and a slow reader keeps no place."""
    async with AsyncExitStack() as place:
        await place.enter_async_context(places)

        async def loaded(message: Message) -> None:
            if message["type"] == "http.response.start":
                await place.aclose()
            await send(message)

        yield loaded
