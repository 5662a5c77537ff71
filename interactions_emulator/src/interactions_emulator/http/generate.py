"""The operations on models: generateContent, streamGenerateContent and countTokens.

A request is carried out as an interaction that is not stored, by the same brain. See `generate_content/`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator
from typing import Any

from pydantic_core import from_json, to_json

from interactions_emulator.engine.interaction import Cursor
from interactions_emulator.engine.request_log import fingerprint
from interactions_emulator.engine.runs import Run
from interactions_emulator.engine.usage import usage
from interactions_emulator.errors import Refused, google_error_body
from interactions_emulator.faults.fault import Fault
from interactions_emulator.generate_content.answers import Chunks, check_succeeded, details, response
from interactions_emulator.generate_content.requests import Generate, counted_turn, parse_generate
from interactions_emulator.http.call import Call
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.fault_effects import send_with_fault
from interactions_emulator.http.json_operations import taking_body
from interactions_emulator.http.protocol import Exchange
from interactions_emulator.http.resource_checks import check_create
from interactions_emulator.http.responses import EVENT_STREAM_TYPE, refusal
from interactions_emulator.http.routes import Action, Route, Table
from interactions_emulator.requests.body import parse_object


def routes(context: AppContext) -> Table:
    """Return the routes of generateContent."""
    max_bytes = context.limits.max_body_bytes

    def begin(call: Call, request: Generate, fault: Fault | None) -> Run:
        check_create(context, request.create)
        documents_url = f"{call.base_url}/documents/"
        run = context.runs.create(request.create, documents_url, fingerprint(call.key), bool(fault and fault.zombie))
        call.interaction_id = run.interaction.id
        return run

    def parsed(call: Call) -> Generate:
        request = parse_generate(call.id, _with_token(parse_object(call.body(max_bytes))))
        del request.create.echoed["model"]  # so that no webhook message is sent: it is not an interaction of the API
        return request

    def generate(call: Call) -> Action:
        request = parsed(call)
        return lambda fault: WholeResponse(begin(call, request, fault), request, bool(fault and fault.no_usage))

    def stream(call: Call) -> Action:
        request = parsed(call)
        events = call.query().get("alt") == "sse"
        return lambda fault: ChunkStream(begin(call, request, fault), request, events, fault, context)

    def count_tokens(call: Call, body: dict[str, Any]) -> dict[str, Any]:
        counted = usage(counted_turn(call.id, body), ())
        by_modality = details(counted["input_tokens_by_modality"])
        return {"totalTokens": counted["total_input_tokens"], "promptTokensDetails": by_modality}

    return {
        "models/{id}:generateContent": {"POST": Route("generate", generate)},
        "models/{id}:streamGenerateContent": {"POST": Route("generate_stream", stream)},
        "models/{id}:countTokens": {"POST": Route("count_tokens", taking_body(count_tokens, max_bytes))},
    }


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


def _with_token(body: dict[str, Any]) -> dict[str, Any]:
    """The body with its continuation token decoded, since the API has it as bytes. Raises `Refused` (400)."""
    token = body.get("continuationToken")
    if token is None:
        return body
    try:
        return body | {"continuationToken": base64.urlsafe_b64decode(token).decode()}
    except (binascii.Error, TypeError, ValueError) as error:
        raise Refused(400, f"continuationToken is not base64: {error}") from error
