"""A uvicorn HTTP protocol that closes a connection whose request does not arrive in time.

uvicorn 0.54 waits forever for the first request, and for the rest of a request that has begun.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CLOSE_GRACE_S = 5.0
"""Seconds between the request timeout and the closing of the connection. Meanwhile a slow body is answered by 408."""


def timed_protocol(request_seconds: float) -> type[TimedProtocol]:
    """Returns the protocol class for uvicorn's `http` option.

    Args:
        request_seconds: timeout for a request to arrive, in seconds.
    """
    return type("Timed", (TimedProtocol,), {"timeout_s": request_seconds + CLOSE_GRACE_S})


class TimedProtocol(HttpToolsProtocol):
    """A connection that is closed if a request, head and body, does not arrive within `timeout_s`."""

    timeout_s: float
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait_for_request()

    def on_message_complete(self) -> None:
        self._stop_waiting()
        super().on_message_complete()

    def _wait_for_request(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(self.timeout_s, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
