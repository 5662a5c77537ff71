"""Answers that Starlette has no word for: event streams with their faults, and cut connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from interactions_emulator.events import DONE
from interactions_emulator.faults import EFFECTS, Fault
from interactions_emulator.interaction import Cursor
from interactions_emulator.log import Log
from interactions_emulator.runs import Run

GARBAGE = b"upstream connect error or disconnect/reset before headers\n\n"
ARRAY = b'[{"error":{"code":503,"message":"The service is currently unavailable.","status":"UNAVAILABLE"}}]\n'
ERROR_EVENT = (
    b'event: error\ndata: {"event_type":"error","error":{"code":"deadline_exceeded",'
    b'"message":"Deadline expired before operation could complete."}}\n\n'
)
UNKNOWN_EVENT = b'event: agent.mood\ndata: {"event_type":"agent.mood","mood":{"type":"curious"}}\n\n'
TRANSPORT, CONNECTION = "interactions_emulator.transport", "interactions_emulator.connection"


def connection(log: Log) -> type[HttpToolsProtocol]:
    """Return uvicorn's HTTP/1.1, counting connections, showing the application the transport (for ASGI has no way to
    cut a connection), and refusing what is no HTTP in JSON."""

    class Connection(HttpToolsProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            log.opened += 1
            log.open += 1
            app: ASGIApp = self.app
            number = log.opened

            async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
                scope[TRANSPORT], scope[CONNECTION] = transport, number
                await app(scope, receive, send)

            self.app = with_transport

        def connection_lost(self, exc: Exception | None) -> None:
            log.open -= 1
            super().connection_lost(exc)

        def send_400_response(self, msg: str) -> None:
            body = b'{"error":{"code":"invalid_request","message":"This is not HTTP/1.1."}}'
            head = (
                b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: "
            )
            self.transport.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
            self.transport.close()

    return Connection


class Json(Response):
    """A value as JSON, by the shortest way."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return to_json(content)


class Cut(Response):
    """Closes the connection without an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _cut(scope, receive)


class Hang(Cut):
    """Answers nothing until the client or the server goes away."""

    def __init__(self, closing: asyncio.Event) -> None:
        super().__init__()
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await first_of(_disconnected(receive), self._closing.wait())
        await super().__call__(scope, receive, send)


class EventStream(Response):
    """The events of a run after a cursor, as far as the fault and the client let them come."""

    def __init__(
        self, run: Run, cursor: Cursor, fault: Fault | None, closing: asyncio.Event, crash: Callable[[], None]
    ) -> None:
        super().__init__(headers={"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store"})
        del self.headers["content-length"]
        self._run = run
        self._cursor = cursor
        self._fault = fault if fault and fault.spoils_stream else None
        self._closing = closing
        self._crash = crash

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if self._fault is None and self._run.interaction.finished:
            await send({"type": "http.response.body", "body": b"".join([*self._cursor.read(), DONE])})
            return
        playing = asyncio.create_task(self._play(scope, receive, send))
        done = await first_of(playing, _disconnected(receive), self._closing.wait())
        if playing in done:
            playing.result()
        elif self._closing.is_set():
            await _cut(scope, receive)

    async def _play(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = 0
        frames = self._frames()
        while True:
            effect = self._effect(sent)
            if effect == "cut_after":
                return await _cut(scope, receive)
            if effect == "crash_after":
                self._crash()
            if effect == "end_after":
                break
            if effect in ("silence_after", "crash_after"):
                await asyncio.Event().wait()
            if effect == "garbage_after":
                await send(_body(GARBAGE))
            if effect == "unknown_after":
                await send(_body(UNKNOWN_EVENT))
            if effect in ("array_after", "error_after"):
                await send(_body(ARRAY if effect == "array_after" else ERROR_EVENT))
                break
            frame = await anext(frames, None)
            if frame is None:
                break
            if effect == "cut_inside":
                text = frame.decode()  # never in the middle of a character
                await send(_body(text[: len(text) // 2].encode()))
                return await _cut(scope, receive)
            if effect == "repeat_after":
                frame += frame
            if effect == "swap_after":
                frame = await anext(frames, b"") + frame
                sent += 1
            if self._fault and self._fault.event_delay_ms:
                await asyncio.sleep(self._fault.event_delay_ms / 1000)
            await send(_body(frame))
            sent += 1
        await send({"type": "http.response.body", "body": b""})
        return None

    async def _frames(self) -> AsyncIterator[bytes]:
        async for frame in self._run.follow(self._cursor):
            yield frame
        yield DONE

    def _effect(self, sent: int) -> str | None:
        """Return the name of the effect that is due after so many events."""
        return next((name for name in EFFECTS if self._fault and getattr(self._fault, name) == sent), None)


async def first_of(*things: Awaitable[Any]) -> set[asyncio.Future[Any]]:
    """Wait until one of them is done, cancel the others, and return those that are done."""
    tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(thing) for thing in things]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    return done


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cut(scope: Scope, receive: Receive) -> None:
    """Close the connection with what has been sent so far, and return when it is closed."""
    scope[TRANSPORT].close()
    await _disconnected(receive)


def _body(data: bytes) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": True}
