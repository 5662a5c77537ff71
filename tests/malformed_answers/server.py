"""A server that answers calls of the Interactions API with the bytes that a test gives it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

NAME = "v1_form"
"""Id of the one interaction that the server has."""
EVENT_STREAM = ("content-type", "text/event-stream")
JSON = ("content-type", "application/json")


@dataclass(frozen=True)
class Reply:
    """What is sent for one request: status, headers and body as they are, and then the connection is closed."""

    status: str = "200 OK"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def data(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status}", *(f"{name}: {value}" for name, value in self.headers), "connection: close"]
        return "\r\n".join([*lines, "", ""]).encode() + self.body

    @property
    def refuses(self) -> bool:
        """Whether it proves that nothing was started."""
        return self.status[0] == "4" and self.status[:3] not in ("408", "409")


def sent_as_json(value: Any, status: str = "200 OK") -> Reply:
    return Reply(status, (JSON,), value if isinstance(value, bytes) else json.dumps(value).encode())


def sent_as_events(*events: Any) -> Reply:
    """A stream of these events; bytes are inserted unchanged."""
    frames = (e if isinstance(e, bytes) else f"data: {json.dumps(e)}\n\n".encode() for e in events)
    return Reply(headers=(EVENT_STREAM,), body=b"".join(frames))


CREATED = {"event_type": "interaction.created", "interaction": {"id": NAME, "status": "in_progress"}, "event_id": "e1"}
RUNNING = {"id": NAME, "status": "in_progress", "steps": []}
REPORT = "# Tides\n\nThe moon moves the sea."
DONE = {
    "id": NAME,
    "status": "completed",
    "steps": [{"type": "model_output", "content": [{"type": "text", "text": REPORT}]}],
    "usage": {"total_tokens": 7},
}


@dataclass
class FormServer:
    """Gives the replies of each kind in order, and then repeats the last one."""

    port: int = 0
    create: Sequence[Reply] = (sent_as_events(CREATED),)
    stream: Sequence[Reply] = (sent_as_events(CREATED),)
    read: Sequence[Reply] = (sent_as_json(DONE),)
    answer: Sequence[Reply] = (Reply("404 Not Found", body=b'{"error": {"message": "no such interaction"}}'),)
    """Replies to all other requests: a cancel, a delete, or another path."""
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    """Method and target of each, with its headers."""
    _given: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def started(self) -> int:
        """Number of creates whose reply does not prove that nothing was started."""
        replies = (self.create[min(i, len(self.create) - 1)] for i in range(self._given.get("create", 0)))
        return sum(not reply.refuses for reply in replies)

    def play(self, **replies: Sequence[Reply]) -> None:
        """Starts over with these replies, and with the default replies for kinds that are not named."""
        fresh = FormServer(self.port, **replies)
        self.__dict__.update(fresh.__dict__)

    def _reply(self, method: str, target: str) -> Reply:
        kind = "answer"
        path, _, query = target.partition("?")
        if method == "POST" and path.endswith("/interactions"):
            kind = "create"
        elif method == "GET" and f"/interactions/{NAME}" in path:
            kind = "stream" if "stream=true" in query else "read"
        replies: Sequence[Reply] = getattr(self, kind)
        number = self._given[kind] = self._given.get(kind, 0) + 1
        return replies[min(number, len(replies)) - 1]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines if line)}
            await reader.readexactly(int(headers.get("content-length", 0)))
            method, target, _ = first.split(" ")
            self.requests.append((f"{method} {target}", headers))
            writer.write(self._reply(method, target).data)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def form_server() -> AsyncIterator[FormServer]:
    """The server, on a free port of this machine."""
    place = FormServer()
    server = await asyncio.start_server(place.handle, "127.0.0.1", 0, limit=2**24)
    place.port = server.sockets[0].getsockname()[1]
    async with server:
        yield place
