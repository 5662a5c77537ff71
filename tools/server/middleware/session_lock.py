"""The lock of a conversation, which allows one turn at a time in it, across all replicas.

In ADK 2.13, two turns of one session can start. The turn that writes second then fails (`StaleSessionError`), and the
session keeps a part of its events. Therefore a turn holds a lock of this name in the ledger's database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.types import Message, Send

Turn = Callable[[str, str, int], AbstractAsyncContextManager[None]]
"""Returns the context of a turn's reads and writes of its session, under the lock.

Its arguments are the user, the id of the session, and the bytes of the message. Entering it raises `RateLimited` if
the conversation is full.
"""


def lock_name(user: str, session: str, app: str = "desk") -> str:
    """The lock name of a session."""
    return f"{app}/{user}/{session}"


@asynccontextmanager
async def last_chunk_delayed(send: Send) -> AsyncIterator[Send]:
    """Yields a `send` that delays the last chunk of a response until the `with` block has ended.

    By then the session lock is released, so that the client's next request does not find a locked session.
    """
    last: list[Message] = []

    async def held(message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            last.append(message)
        else:
            await send(message)

    try:
        yield held
    finally:
        for message in last:
            await send(message)
