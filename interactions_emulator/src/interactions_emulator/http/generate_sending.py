"""Sends the answers of generateContent: a whole response, or a stream of chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pydantic_core import from_json, to_json

from interactions_emulator.engine.interaction import Cursor
from interactions_emulator.engine.run import Run
from interactions_emulator.errors import Refused, google_error_body
from interactions_emulator.faults.fault import Fault
from interactions_emulator.generate_content.requests import Generate
from interactions_emulator.generate_content.responses import Chunks, check_succeeded, response
from interactions_emulator.http.connection import Exchange
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.responses import EVENT_STREAM_TYPE, refusal
from interactions_emulator.http.stream_faults import send_with_fault


class WholeResponse:
    """The response to generateContent, sent when the run has ended."""

    status: int | None = 200

    def __init__(self, run: Run, request: Generate, no_usage: bool) -> None:
        self._run = run
        self._request = request
        self._no_usage = no_usage

    async def send(self, exchange: Exchange) -> None:
        await self._run.wait_until_finished()
        try:
            body = response(self._run.interaction, self._request)
        except Refused as refused:
            refusal(refused, body=google_error_body).send(exchange)
            return
        if self._no_usage:
            del body["usageMetadata"]
        exchange.reply(200, "application/json", to_json(body))


class ChunkStream:
    """The chunks of streamGenerateContent: server-sent events, or the elements of one JSON array."""

    status: int | None = 200

    def __init__(self, run: Run, request: Generate, events: bool, fault: Fault | None, context: AppContext) -> None:
        self._run = run
        self._request = request
        self._events = events
        self._fault = fault
        self._context = context

    async def send(self, exchange: Exchange) -> None:
        exchange.start(200, EVENT_STREAM_TYPE if self._events else "application/json")
        end = b"" if self._events else b"]\n"
        if self._fault and self._fault.affects_stream:
            return await send_with_fault(exchange, self._frames(), self._fault, self._context.crash, end)
        async for frames in self._frames():
            exchange.write(b"".join(frames))
            await exchange.drain()
        exchange.write(end)
        return exchange.finish()

    async def _frames(self) -> AsyncIterator[list[bytes]]:
        interaction = self._run.interaction
        chunks, first = Chunks(interaction, self._request), True
        cursor = Cursor(interaction, usage=not (self._fault and self._fault.no_usage))
        async for frames in self._run.follow(cursor):
            for frame in frames:
                for chunk in chunks.of_event(from_json(frame.partition(b"\ndata: ")[2])):
                    yield [self._frame(self._without_usage(chunk), first)]
                    first = False
        try:
            check_succeeded(interaction)
        except Refused as refused:
            yield [self._frame(google_error_body(refused.status, refused.message), first)]

    def _without_usage(self, chunk: dict[str, Any]) -> dict[str, Any]:
        if self._fault and self._fault.no_usage:
            chunk.pop("usageMetadata", None)
        return chunk

    def _frame(self, chunk: dict[str, Any], first: bool) -> bytes:
        data = to_json(chunk)
        return b"data: %b\r\n\r\n" % data if self._events else (b"[" if first else b",\r\n") + data
