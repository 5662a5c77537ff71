"""A uvicorn HTTP protocol that closes a connection whose request does not arrive in time, or has too long a head.

uvicorn 0.54 waits forever for the first request, and for the rest of a request that has begun. With httptools, it
keeps an address and headers of any length in memory.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CLOSE_GRACE_S = 5.0
"""Seconds between the request timeout and the closing of the connection. Meanwhile a slow body is answered by 408."""
MAX_HEAD_BYTES = 65_536
"""Maximum bytes of a request's address and headers, and of the headers after a body. The last read may exceed it."""


def timed_protocol(request_seconds: float) -> type[TimedProtocol]:
    """Returns the protocol class for uvicorn's `http` option.

    Args:
        request_seconds: timeout for a request to arrive, in seconds.
    """
    return type("Timed", (TimedProtocol,), {"timeout_s": request_seconds + CLOSE_GRACE_S})


class TimedProtocol(HttpToolsProtocol):
    """A connection that is closed if a request, head and body, does not arrive within `timeout_s`."""

    timeout_s: float
    _head_bytes: int = 0
    """Number of bytes since a head or a piece of a body was complete."""
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The head of the request has more than {MAX_HEAD_BYTES:,} bytes.")

    def on_headers_complete(self) -> None:
        self._head_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        super().on_body(body)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait_for_request()

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        self._stop_waiting()
        super().on_message_complete()

    def _wait_for_request(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(self.timeout_s, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
