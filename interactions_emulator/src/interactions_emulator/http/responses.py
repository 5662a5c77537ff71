"""Kinds of answers: JSON, event streams with faults, replays, pages, cut and hanging connections.

Each kind has `status`, for the log (None: no answer is sent), and `send`. `send` starts the answer and returns a
coroutine that sends the rest, or None if everything is sent. If the client disconnects, only this coroutine is
cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Protocol

from pydantic_core import to_json
from starlette.types import ASGIApp, Message

from interactions_emulator.engine.clock import Clock
from interactions_emulator.engine.events import DONE
from interactions_emulator.engine.interaction import Cursor
from interactions_emulator.engine.run import Run
from interactions_emulator.errors import Refused, error_body, google_error_body
from interactions_emulator.faults.fault import Fault
from interactions_emulator.http.connection import Exchange, Remainder
from interactions_emulator.http.stream_faults import send_with_fault
from interactions_emulator.recording.replay import Response as Recorded

EVENT_STREAM_TYPE = "text/event-stream; charset=utf-8"


class Answer(Protocol):
    """The answer to a request."""

    @property
    def status(self) -> int | None:
        """HTTP status for the log; None: no answer is sent."""

    def send(self, exchange: Exchange) -> Remainder:
        """Begin the answer; return the rest of it as a coroutine, or None."""


class Json:
    """A JSON value."""

    def __init__(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self._body = to_json(value)
        self._headers = headers

    def send(self, exchange: Exchange) -> Remainder:
        exchange.reply(self.status, "application/json", self._body, self._headers)
        return None


class Prepared:
    """A JSON value that is slow to make: `prepare` runs in a thread, and then `finish` returns the value.

    Both are carried out even if the client disconnects. `finish` may raise `Refused`.
    """

    status = 200

    def __init__(
        self, prepare: Callable[[], None], finish: Callable[[], Any], headers: dict[str, str] | None = None
    ) -> None:
        self._prepare = prepare
        self._finish = finish
        self._headers = headers

    async def send(self, exchange: Exchange) -> None:
        (await asyncio.shield(asyncio.create_task(self._answer()))).send(exchange)

    async def _answer(self) -> Json:
        await asyncio.to_thread(self._prepare)
        try:
            return Json(self._finish(), headers=self._headers)
        except Refused as refused:
            return refusal(refused, body=google_error_body)


ErrorBody = Callable[[int, str], dict[str, Any]]
"""Makes the body of an error from its HTTP status and message."""


def refusal(refused: Refused, headers: dict[str, str] | None = None, body: ErrorBody = error_body) -> Json:
    """Return a refusal as an answer."""
    value = body(refused.status, refused.message)
    if refused.code and isinstance(value["error"]["code"], str):
        value["error"]["code"] = refused.code
    return Json(value, refused.status, headers)


class FinalResource:
    """The resource of a run, sent when the run has ended."""

    status = 200

    def __init__(self, run: Run) -> None:
        self._run = run

    async def send(self, exchange: Exchange) -> None:
        await self._run.wait_until_finished()
        Json(self._run.interaction.resource()).send(exchange)


class EventStream:
    """The event stream of a run from a cursor on, changed by the fault if there is one."""

    status = 200

    def __init__(self, run: Run, cursor: Cursor, fault: Fault | None, crash: Callable[[], None]) -> None:
        self._run = run
        self._cursor = cursor
        self._fault = fault if fault and fault.affects_stream else None
        self._crash = crash

    def send(self, exchange: Exchange) -> Remainder:
        if self._run.interaction.finished and not self._fault:
            exchange.stream_at_once(200, EVENT_STREAM_TYPE, b"".join([*self._cursor.read(), DONE]))
            return None
        exchange.start(200, EVENT_STREAM_TYPE)
        if self._fault:
            frames = self._run.follow(self._cursor)
            return send_with_fault(exchange, frames, self._fault, self._crash)
        return self._play(exchange)

    async def _play(self, exchange: Exchange) -> None:
        async for frames in self._run.follow(self._cursor):
            exchange.write(b"".join(frames))
            await exchange.drain()
        exchange.write(DONE)
        exchange.finish()


class Replayed:
    """A recorded answer; the pauses between the frames of a stream pass in virtual time."""

    def __init__(self, recorded: Recorded, clock: Clock) -> None:
        self.status = recorded.status
        self._recorded = recorded
        self._clock = clock

    def send(self, exchange: Exchange) -> Remainder:
        recorded = self._recorded
        if isinstance(recorded.body, list) or recorded.cut:
            return self._play(exchange)
        exchange.reply(recorded.status, recorded.content_type, recorded.body, recorded.headers)
        return None

    async def _play(self, exchange: Exchange) -> None:
        recorded = self._recorded
        exchange.start(recorded.status, recorded.content_type, recorded.headers)
        moment = self._clock.now()
        for after, data in recorded.body if isinstance(recorded.body, list) else [(0.0, recorded.body)]:
            moment += after
            await self._clock.until(moment)
            exchange.write(data)
            await exchange.drain()
        (exchange.cut if recorded.cut else exchange.finish)()


class AsgiResponse:
    """The answer of an ASGI application, sent in one piece."""

    status = None

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def send(self, exchange: Exchange) -> None:
        start: Message = {}
        body: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": exchange.body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.append(message.get("body", b""))

        host, _, port = exchange.headers.get(b"host", b"").decode("latin-1").partition(":")
        scope = {
            "type": "http",
            "method": exchange.method,
            "scheme": "http",
            "path": exchange.path,
            "query_string": exchange.query,
            "headers": list(exchange.headers.items()),
            "client": (exchange.client, 0),
            "server": (host, int(port) if port.isdecimal() else 80),
        }
        with suppress(Exception):  # Starlette sends the 500 and raises again; `app.py` has logged the error already
            await self._app(scope, receive, send)
        headers = _decoded(start.get("headers", ()))
        headers.pop("content-length", None)
        exchange.reply(start.get("status", 500), headers.pop("content-type", "text/plain"), b"".join(body), headers)


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
