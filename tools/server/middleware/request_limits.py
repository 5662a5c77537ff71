"""Reads request bodies within limits of size and time, and parses them to JSON that every store can keep."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from tools.load_control.user_queues import FairUserThreads
from tools.server.error_handlers import RequestRejected
from tools.server.limits import (
    MAX_FILE_LEVELS,
    MAX_FILE_NAME_BYTES,
    MAX_JSON_DEPTH,
    MAX_JSON_VALUES,
    MAX_NAME_CHARS,
    SMALL_BODY_BYTES,
)
from tools.server.timeouts import FULL_TIMEOUT_S

T = TypeVar("T")
_PARSER = FairUserThreads(1, "large bodies")
"""Parses large bodies, one at a time."""
_FILE_NAMES = ("filename",)
_NAMES = ("userId", "user_id", "sessionId", "session_id", "appName", "app_name", *_FILE_NAMES)
"""Fields of a body that hold names: an unusable name is refused, while other text is sanitized."""
_TOO_DEEP = RequestRejected(400, f"the body may have at most {MAX_JSON_DEPTH} levels of nesting")


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


def check_values(body: bytes, maximum: int = MAX_JSON_VALUES) -> None:
    """Counts the values in JSON before anything parses it. Text is not counted, however many commas it has.

    Raises:
        RequestRejected: status 400: there are more than `maximum`.
    """
    if _count_values(body) <= maximum:
        return
    unescaped = body.replace(rb"\\", b"").replace(rb"\"", b"")
    too_many_texts = unescaped.count(b'"') > 4 * maximum  # a value has at most a name and a text
    if too_many_texts or _count_values(b"".join(unescaped.split(b'"')[::2])) > maximum:
        raise RequestRejected(400, f"the body may have at most {maximum:,} values")


def parse_json(body: bytes) -> Any:
    """Parses a client's JSON, and replaces unsafe characters in its text (`tools/text/unsafe_characters.py`).

    Raises:
        RequestRejected: status 400: the body is not JSON, is nested too deeply, or has an unusable name.
    """
    try:
        data = json.loads(body.decode(), parse_float=_finite, parse_constant=_finite)
    except ValueError:
        raise RequestRejected(400, "the body has to be JSON in UTF-8") from None
    except RecursionError:
        raise _TOO_DEEP from None
    if _is_deep(data):
        raise _TOO_DEEP
    if isinstance(data, dict):
        for name in _NAMES:
            check_name(data.get(name), is_file=name in _FILE_NAMES)
    return sanitize_json(data)


def check_name(name: object, is_file: bool = False) -> None:
    """Refuses a name that some store cannot keep. Lets values that are not strings pass, because ADK refuses them.

    Raises:
        RequestRejected: status 400: the name is too long or has unusable characters.
    """
    if not isinstance(name, str):
        return
    if name != sanitize(name) or any(character in name for character in "\t\r\n"):
        raise RequestRejected(400, "a name in the request has control characters or halves of characters")
    if is_file and len(name.encode()) > MAX_FILE_NAME_BYTES:
        raise RequestRejected(400, f"a file's name may have at most {MAX_FILE_NAME_BYTES} bytes")
    if is_file and name.replace("\\", "/").count("/") >= MAX_FILE_LEVELS:
        raise RequestRejected(400, f"a file's name may have at most {MAX_FILE_LEVELS} levels")
    if not is_file and len(name) > MAX_NAME_CHARS:
        raise RequestRejected(400, f"a name may have at most {MAX_NAME_CHARS} characters")


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


def _finite(number: str) -> float:
    """Parses a float; refuses NaN and infinities (also 1e999), which JSON does not have and databases refuse."""
    if not math.isfinite(value := float(number)):
        raise ValueError(number)
    return value


def _count_values(json_text: bytes) -> int:
    """Returns an upper bound of the number of values: each value but the first follows one of these characters."""
    return sum(map(json_text.count, (b",", b"[", b"{", b":")))


def _is_deep(data: Any) -> bool:
    level = [data]
    for _ in range(MAX_JSON_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True
