"""HTTP/1.1 on a socket, parsed by httptools. The application can cut a connection or keep it open without an answer.

This is not ASGI: ASGI cannot cut a connection, and its tasks and messages take more time than all other work.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools

from interactions_emulator.engine.request_log import Capture, Log
from interactions_emulator.limits import MAX_QUEUED_REQUESTS
from interactions_emulator.version import __version__

SERVER = f"interactions-emulator/{__version__}"
NOT_HTTP_BODY = b'{"error":{"code":"invalid_request","message":"This is not HTTP/1.1."}}'

Remainder = Coroutine[Any, Any, None] | None
"""The rest of an answer that has begun; None if it is complete."""
App = Callable[["Exchange"], Remainder]


class Exchange:
    """A request, and the ways to answer it: `reply`; or `start`, `write` and `finish`; or `cut`."""

    def __init__(self, connection: Connection, method: str, url: bytes, headers: dict[bytes, bytes]) -> None:
        path, _, query = url.partition(b"?")
        self.method = method
        self.path = unquote(path.decode("latin-1"), errors="replace") if b"%" in path else path.decode("latin-1")
        self.query = query
        self.headers = headers
        """Maps lower-case names to values."""
        self.body = b""
        self.too_large = False
        """Whether the body was over the limit, and was dropped."""
        self.begun = False
        """Whether part of the answer has been sent."""
        self.connection = connection.number
        """Number of the connection, counted from 1 since the server started."""
        self.client = connection.client
        """Address of the peer."""
        self.capture: Capture | None = None
        """Records the answer, if the request is in the log."""
        self._connection = connection
        self._closes = not connection.parser.should_keep_alive()
        self._chunked = connection.parser.get_http_version() == "1.1"

    def reply(self, status: int, content_type: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send a whole answer."""
        self.begun = True
        head = b"%bcontent-length: %d\r\n%b\r\n" % (
            _response_head(status, content_type),
            len(body),
            self._extra_headers(headers),
        )
        self._connection.transport.write(head if self.method == "HEAD" else head + body)
        if self.capture:
            self.capture.reply(content_type, body)
        self._connection.answer_next(self._closes)

    def start(self, status: int, content_type: str, headers: dict[str, str] | None = None) -> None:
        """Begin an answer that is sent in chunks."""
        self._connection.transport.write(self._begin(status, content_type, headers))

    def write(self, piece: bytes) -> None:
        """Send a chunk."""
        if piece:  # an empty chunk would end the body
            self._connection.transport.write(self._chunk(piece))

    def stream_at_once(self, status: int, content_type: str, body: bytes) -> None:
        """Send `start`, `write` and `finish` by one system call, since each takes as long as making the answer."""
        end = b"0\r\n\r\n" if self._chunked else b""
        self._connection.transport.write(self._begin(status, content_type, None) + self._chunk(body) + end)
        self.ended()
        self._connection.answer_next(self._closes)

    async def drain(self) -> None:
        """Return when most of the written bytes are sent."""
        await self._connection.writable.wait()

    def finish(self) -> None:
        """End an answer that was sent in chunks."""
        if self._chunked:
            self._connection.transport.write(b"0\r\n\r\n")
        self.ended()
        self._connection.answer_next(self._closes)

    def cut(self) -> None:
        """Close the connection, even if the answer is incomplete."""
        self.ended()
        self._connection.transport.close()

    def ended(self) -> None:
        """Record that nothing more is sent."""
        if self.capture:
            self.capture.end()

    def _begin(self, status: int, content_type: str, headers: dict[str, str] | None) -> bytes:
        self.begun = True
        self._closes |= not self._chunked
        if self.capture:
            self.capture.begin(content_type)
        encoding = b"transfer-encoding: chunked\r\n" if self._chunked else b""
        return b"%b%b%b\r\n" % (_response_head(status, content_type), encoding, self._extra_headers(headers))

    def _chunk(self, piece: bytes) -> bytes:
        if self.capture:
            self.capture.add(piece)
        return b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece

    def _extra_headers(self, headers: dict[str, str] | None) -> bytes:
        if not headers and not self._closes:
            return b""
        lines = [f"{name}: {value}\r\n" for name, value in (headers or {}).items()]
        return "".join([*lines, "connection: close\r\n"] if self._closes else lines).encode("latin-1")


class Connection(asyncio.Protocol):
    """A client's connection; its requests are answered in order, one at a time."""

    transport: asyncio.Transport

    def __init__(self, app: App, log: Log, max_body_bytes: int, connections: set[Connection]) -> None:
        self._app = app
        self._log = log
        self._max_body_bytes = max_body_bytes
        """Maximum bytes of a body."""
        self._connections = connections
        self._queue: deque[Exchange] = deque()
        self._busy = False
        self._current: Exchange | None = None
        """The latest request that was answered."""
        self.task: asyncio.Task[None] | None = None
        """The task that sends the current answer."""
        self.parser = httptools.HttpRequestParser(self)
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        transport.set_write_buffer_limits(high=0)  # uvloop: send at once, not when all waiting requests are answered
        self.client = str((transport.get_extra_info("peername") or ("",))[0])
        self._log.opened += 1
        self._log.open += 1
        self.number = self._log.opened
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._log.open -= 1
        self._connections.discard(self)
        self._queue.clear()
        if self._current:
            self._current.ended()
        self.writable.set()
        if self.task:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._offers_upgrade():  # else it is a CONNECT, which was answered like any other method
                self._read_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            head = _response_head(400, "application/json")
            self.transport.write(
                b"%bcontent-length: %d\r\nconnection: close\r\n\r\n%b" % (head, len(NOT_HTTP_BODY), NOT_HTTP_BODY)
            )
            self.transport.close()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and not self._busy:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self._max_body_bytes:
            self._body.append(part)
        else:
            self._body.clear()

    def on_message_complete(self) -> None:
        if self._offers_upgrade():
            return
        exchange = Exchange(self, self.parser.get_method().decode("latin-1"), self._url, self._headers)
        exchange.body = b"".join(self._body)
        exchange.too_large = self._size > self._max_body_bytes
        if self._busy:
            self._queue.append(exchange)
            if len(self._queue) >= MAX_QUEUED_REQUESTS:
                self.transport.pause_reading()
        else:
            self._answer(exchange)

    def _offers_upgrade(self) -> bool:
        return bool(self.parser.should_upgrade() and b"upgrade" in self._headers)

    def _read_without_upgrade(self, rest: bytes) -> None:
        """Read a request again that offers another protocol, such as HTTP/2: the parser has not read its body."""
        method, url = self.parser.get_method(), self._url
        self.parser = httptools.HttpRequestParser(self)
        headers = [b"%b: %b\r\n" % header for header in self._headers.items() if header[0] != b"upgrade"]
        self.data_received(b"%b %b HTTP/1.1\r\n%b\r\n" % (method, url, b"".join(headers)) + rest)

    def answer_next(self, close: bool) -> None:
        """Answer the next waiting request, or close the connection if `close`."""
        self._busy = False
        if close:
            self.transport.close()
        elif self._queue:
            if len(self._queue) == MAX_QUEUED_REQUESTS:
                self.transport.resume_reading()
            asyncio.get_running_loop().call_soon(self._answer, self._queue.popleft())
            self._busy = True

    def _answer(self, exchange: Exchange) -> None:
        if self.transport.is_closing():
            return
        self._busy = True
        self._current = exchange
        remainder = self._app(exchange)
        if remainder is not None:
            self.task = asyncio.get_running_loop().create_task(remainder)


@lru_cache(100)
def _response_head(status: int, content_type: str) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:  # a fault may set any number
        phrase = "Unknown"
    kind = f"content-type: {content_type}\r\n" if content_type else ""
    return f"HTTP/1.1 {status} {phrase}\r\nserver: {SERVER}\r\n{kind}".encode("latin-1")
