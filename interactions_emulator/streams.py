"""Answers that Starlette has no word for: event streams with their faults, and cut connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from interactions_emulator.events import DONE, frame
from interactions_emulator.faults import EFFECTS, Fault
from interactions_emulator.runs import Run

GARBAGE = "upstream connect error or disconnect/reset before headers\n\n"
ARRAY = '[{"error":{"code":503,"message":"The service is currently unavailable.","status":"UNAVAILABLE"}}]\n'
ERROR_EVENT = (
    'event: error\ndata: {"event_type":"error","error":{"code":"deadline_exceeded",'
    '"message":"Deadline expired before operation could complete."}}\n\n'
)
UNKNOWN_EVENT = 'event: agent.mood\ndata: {"event_type":"agent.mood","mood":{"type":"curious"}}\n\n'
_TRANSPORT = "interactions_emulator.transport"


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1, showing the application the transport, for ASGI has no way to cut a connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app: ASGIApp = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, _TRANSPORT: transport}, receive, send)

        self.app = with_transport


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
    """A run's events after the first `position`, as far as the fault and the client let them come."""

    def __init__(self, run: Run, position: int, fault: Fault | None, closing: asyncio.Event) -> None:
        super().__init__(headers={"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store"})
        del self.headers["content-length"]
        self._frames = _frames(run, position, no_usage=bool(fault and fault.no_usage))
        self._fault = fault
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        playing = asyncio.create_task(self._play(scope, receive, send))
        done = await first_of(playing, _disconnected(receive), self._closing.wait())
        if playing in done:
            playing.result()
        elif self._closing.is_set():
            await _cut(scope, receive)

    async def _play(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = 0
        while True:
            effect = self._effect(sent)
            if effect == "cut_after":
                return await _cut(scope, receive)
            if effect == "end_after":
                break
            if effect == "silence_after":
                await asyncio.Event().wait()
            if effect == "garbage_after":
                await send(_body(GARBAGE))
            if effect == "unknown_after":
                await send(_body(UNKNOWN_EVENT))
            if effect in ("array_after", "error_after"):
                await send(_body(ARRAY if effect == "array_after" else ERROR_EVENT))
                break
            text = await anext(self._frames, None)
            if text is None:
                break
            if effect == "cut_inside":
                await send(_body(text[: len(text) // 2]))
                return await _cut(scope, receive)
            if effect == "repeat_after":
                text += text
            if effect == "swap_after":
                text = await anext(self._frames, "") + text
                sent += 1
            await send(_body(text))
            sent += 1
        await send({"type": "http.response.body", "body": b""})
        return None

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


async def _frames(run: Run, position: int, no_usage: bool) -> AsyncIterator[str]:
    async for line in run.follow(position):
        event = json.loads(line) if no_usage else None
        if event and event["event_type"] == "interaction.completed":
            event["interaction"].pop("usage", None)
            line = json.dumps(event, ensure_ascii=False)
        yield frame(line)
    yield DONE


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cut(scope: Scope, receive: Receive) -> None:
    """Close the connection with what has been sent so far, and return when it is closed."""
    scope[_TRANSPORT].close()
    await _disconnected(receive)


def _body(text: str) -> Message:
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}
