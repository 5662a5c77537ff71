"""Runs an application with uvicorn, and limits what a connection may send, and the number of connections.

uvicorn 0.54 waits forever for the first request, for the rest of a request that has begun, and after a line end that
begins none. With httptools, it keeps an address and headers of any length in memory, and any number of requests that
arrive while another one is answered. Connections that it accepts can take all files that the process may open.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tools.server.limits import MAX_CONNECTIONS, MAX_HEAD_BYTES, MAX_HEADERS, MAX_OPEN_FILES
from tools.server.timeouts import CLOSE_GRACE_S, SHUTDOWN_GRACE_S


def timed_protocol(request_seconds: float) -> type[LimitedProtocol]:
    """Returns the protocol class for uvicorn's `http` option.

    At most half of the files that the process may open are connections: the database and the API need others.

    Args:
        request_seconds: timeout for a request to arrive, in seconds.
    """
    limits = {
        "timeout_s": request_seconds + CLOSE_GRACE_S,
        "max_connections": min(open_files() // 2, MAX_CONNECTIONS),
        "waiting": {},
    }
    return type("Limited", (LimitedProtocol,), limits)


def open_files() -> int:
    """Raises the limit of open files, and returns it."""
    if sys.platform == "win32":
        return MAX_OPEN_FILES
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS allows fewer than it says
        return soft
    return wanted


class LimitedProtocol(HttpToolsProtocol):
    """A connection that is closed if it has no complete request for `timeout_s`, and answers one request at a time."""

    timeout_s: float
    max_connections: int
    """Maximum number of connections of the server. A further one takes the place of the one that waits longest for a
    request, so that connections without requests keep nobody out; if none waits, it is closed at once."""
    waiting: dict[LimitedProtocol, None]
    """The connections of the server that have no complete request, longest waiting first."""
    _head_bytes: int = 0
    """Number of bytes received since the last complete head or piece of a body."""
    _in_body: bool = False
    """Whether the head of the request is complete."""
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_request()
        if len(self.connections) > self.max_connections:
            oldest = next(iter(self.waiting), self)
            oldest._stop_waiting()
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The head of the request has more than {MAX_HEAD_BYTES:,} bytes.")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:  # a field after a chunked body, which is not a header (RFC 9110, section 6.5.1)
            return
        super().on_header(name, value)
        if len(self.headers) > MAX_HEADERS:
            raise ValueError("too many headers")  # it is answered by 400

    def on_headers_complete(self) -> None:
        self._head_bytes, self._in_body = 0, True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        super().on_body(body)

    def on_message_begin(self) -> None:
        if self.cycle and not self.cycle.response_complete:
            self.transport.abort()
            raise ValueError("a request before the answer to the previous one")  # stops the reading of received bytes
        super().on_message_begin()
        self._in_body = False
        self.scope["state"]["abort"] = self.transport.abort
        self._wait_for_request()

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        super().on_message_complete()
        if self.cycle and not self.cycle.response_complete:
            self._stop_waiting()  # until it is answered
        else:
            self._wait_for_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_for_request()

    def _should_upgrade_to_ws(self) -> bool:
        return False  # it would leave this class and its limits

    def _unsupported_upgrade_warning(self) -> None:
        """Logs nothing: a client without a token could fill the log."""

    def _wait_for_request(self) -> None:
        self._stop_waiting()
        if not self.transport.is_closing():
            self._deadline = self.loop.call_later(self.timeout_s, self._end)
            self.waiting[self] = None

    def _end(self) -> None:
        self.transport.close()
        self.loop.call_later(CLOSE_GRACE_S, self.transport.abort)  # if the client does not read the sent bytes

    def _stop_waiting(self) -> None:
        self.waiting.pop(self, None)
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None


def run_server(app: Callable[..., Any] | str, host: str, port: int, protocol: type | str, **options: Any) -> None:
    """Serves an ASGI application until a signal ends it. `app` may be the import string of a function that makes it.

    Args:
        protocol: class for the connections, or its import string.
        options: further settings of uvicorn.
    """
    settings: dict[str, Any] = {"timeout_graceful_shutdown": SHUTDOWN_GRACE_S, "access_log": False, "log_config": None}
    uvicorn.run(app, host=host, port=port, http=protocol, **settings, **options)
