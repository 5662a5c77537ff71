"""Keeps event streams alive through proxies.

Sends comments during silence, and headers that forbid caching and buffering. Proxies close a connection that is silent
for 30 to 60 seconds, and a turn that watches a research run may be silent for minutes.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools.server.error_handlers import INTERNAL_ERROR
from tools.server.timeouts import PING_INTERVAL_S

PING = b": ping\n\n"
_ENDS = (b"\n\n", b"\r\n\r\n")
"""The bytes that end an event. A comment may be sent only after such an end."""
_ADK_ERROR = b'data: {"error": '
"""Beginning of ADK's error event, which holds the text of the exception (`api_server.py:2340`)."""
_FOR_CLIENTS = ("InputValidationError",)
"""Exceptions whose text is meant for clients."""


@dataclass(frozen=True)
class SseKeepalive:
    """ASGI middleware that adds pings and headers to event streams."""

    app: ASGIApp
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(send, self.clock, self.sleep)
        try:
            await self.app(scope, receive, answer.send)
        finally:
            answer.end()


@dataclass
class _Answer:
    to_client: Send
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    _pinging: asyncio.Task[None] | None = None
    _sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    _last: float = 0.0
    """Time of the last send, by `clock`."""
    _between: bool = True
    """Whether the last chunk ended with a complete event."""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            is_stream = _is_event_stream(message)
            await self.to_client(message)
            if is_stream:
                self._last = self.clock()
                self._pinging = asyncio.create_task(self._ping())
            return
        if self._pinging is None:
            await self.to_client(message)
            return
        async with self._sending:
            if not message.get("more_body"):
                self.end()
            if body := message.get("body"):
                self._last, self._between = self.clock(), body.endswith(_ENDS)
                message = {**message, "body": _plain(body)}
            await self.to_client(message)

    def end(self) -> None:
        if self._pinging:
            self._pinging.cancel()

    async def _ping(self) -> None:
        while True:
            await self.sleep(max(self._last + PING_INTERVAL_S - self.clock(), 0.0) or PING_INTERVAL_S)
            async with self._sending:
                if self._between and self.clock() - self._last >= PING_INTERVAL_S:
                    self._last = self.clock()
                    with suppress(OSError):  # the client has left; the application learns it from `receive`
                        await self.to_client({"type": "http.response.body", "body": PING, "more_body": True})


def _is_event_stream(start: Message) -> bool:
    """Whether a response is an event stream; if so, adds the headers against caching and buffering."""
    headers = MutableHeaders(raw=start["headers"])
    if not headers.get("content-type", "").startswith("text/event-stream"):
        return False
    headers["Cache-Control"] = "no-cache"
    headers["X-Accel-Buffering"] = "no"
    return True


def _plain(event: bytes) -> bytes:
    """Removes the exception's text, which may contain SQL or a path, from ADK's error event. The log has the text."""
    if not event.startswith(_ADK_ERROR):
        return event
    told = json.loads(event.removeprefix(b"data:"))
    details = told.get("error_details")
    if not isinstance(details, dict):
        return event  # of another library, such as the A2A SDK
    if details["error_type"] not in _FOR_CLIENTS:
        details = {**details, "error_message": INTERNAL_ERROR}
    error = {"error": details["error_message"], "error_details": {**details, "stacktrace": None}}
    return b"data: " + json.dumps(error).encode() + b"\n\n"
