"""Reads request bodies within limits of size and time, and lets large ones be parsed in a thread."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from tools.load_control.user_queues import FairUserThreads
from tools.server.error_handlers import RequestRejected
from tools.server.limits import (
    SMALL_BODY_BYTES,
)
from tools.server.timeouts import FULL_TIMEOUT_S

T = TypeVar("T")
_PARSER = FairUserThreads(1, "large bodies")
"""Parses large bodies, one at a time."""


@dataclass
class BodyReader:
    """Reads request bodies, and limits how many bytes of them are in memory. Small bodies have no limit in total.

    Args:
        max_bytes: maximum bytes of a body, whatever Content-Length says.
        max_bytes_per_user: maximum bytes of the bodies of one user's requests at a time.
        max_bytes_in_total: the same for all users together.
        timeout_s: timeout for a body to arrive.
    """

    max_bytes: int
    max_bytes_per_user: int
    max_bytes_in_total: int
    timeout_s: float
    _held: Counter[str] = field(default_factory=Counter)
    """Maps each user to the bytes that are in memory now."""
    _arriving: dict[asyncio.Timeout, float] = field(default_factory=dict)
    """Maps the timeouts of bodies that are arriving to the times when these began, by the clock of the event loop."""

    @asynccontextmanager
    async def body(
        self, scope: Scope, receive: Receive, user: str, max_bytes: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yields the whole body of a request. Its bytes are counted as long as the block runs.

        Args:
            max_bytes: maximum bytes of this body, if it is another one.

        Raises:
            RequestRejected: status 413: the body is too large; 408: it arrives too slowly; 429 or 503: too many bytes
                of the user, or of all users, are in memory.
            ClientDisconnect: the client has closed the connection.
        """
        with self._counted(user) as count:
            yield await self._read(scope, receive, max_bytes or self.max_bytes, count)

    @contextmanager
    def _counted(self, user: str) -> Iterator[Callable[[int], None]]:
        size = 0

        def count(more: int) -> None:
            nonlocal size
            if self._held[user] + more > self.max_bytes_per_user:
                raise RequestRejected(429, "the requests of one user are too large together: try this one again")
            if size + more > SMALL_BODY_BYTES and self._held.total() + more > self.max_bytes_in_total:
                self._shorten_timeouts()
                raise RequestRejected(503, "the requests of all users are too large together: try this one again")
            self._held[user] += more
            size += more

        try:
            yield count
        finally:
            self._held -= Counter({user: size})  # leaves no entry of 0

    def _shorten_timeouts(self) -> None:
        """Cuts off slow senders, so that a client that tries again finds free memory."""
        for timeout, began in self._arriving.items():
            if not timeout.expired():
                timeout.reschedule(began + min(self.timeout_s, FULL_TIMEOUT_S))

    async def _read(self, scope: Scope, receive: Receive, max_bytes: int, count: Callable[[int], None]) -> bytes:
        too_large = RequestRejected(413, f"a request may have at most {max_bytes} bytes")
        if int(Headers(scope=scope).get("content-length") or 0) > max_bytes:
            raise too_large
        body = bytearray()
        began = asyncio.get_running_loop().time()
        timeout = asyncio.timeout_at(began + self.timeout_s)
        self._arriving[timeout] = began
        try:
            async with timeout:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    piece = message.get("body", b"")
                    if len(body) + len(piece) > max_bytes:
                        raise too_large
                    count(len(piece))
                    body += piece
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError:
            limit_s = (timeout.when() or began) - began
            raise RequestRejected(408, f"the request did not arrive within {limit_s:g} seconds") from None
        finally:
            del self._arriving[timeout]


async def in_thread_if_large(function: Callable[[bytes], T], body: bytes, user: str) -> T:
    """Calls a function with a body, in a thread if the body is large, so that other requests are served meanwhile.

    Large bodies of different users take turns, however many one of them sends.
    """
    return function(body) if len(body) <= SMALL_BODY_BYTES else await _PARSER.call(user, function, body)


class Replay:
    """A `receive` that first returns a body that was read before, then further messages."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body, self._receive, self._sent = body, receive, False
        self.client_left = False
        """Whether the application has received the client's disconnect."""

    async def __call__(self) -> Message:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        message = await self._receive()
        self.client_left = self.client_left or message["type"] == "http.disconnect"
        return message


def without_length(scope: Scope) -> Scope:
    """The scope without Content-Length, for a request whose body was changed."""
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"content-length"]}
