"""The routes below `/_emulator/`, for tests that control and inspect the server. Only for clients on this machine.

faults        GET, POST (one fault, a name or a list, to add), DELETE: see `faults/`
clock         GET, POST {"advance": seconds} or {"speed": number or "inf"}: {"now", "speed"}, sent when each
              run has added all steps that are due by that virtual time
log           GET: {"creates": <accepted ever>, "creates_by_key": {<fingerprint of the API key>: n},
              "connections": {"opened", "open"}, "requests": [<since the server started>]}, each request {time,
              method, path, status, interaction_id, kind, key, connection, bytes, seconds}; status null: the connection
              was closed or left open instead; bytes: the length of the body; seconds: real time until the end of
              the answer, null while it lasts. A request that the real service might refuse also has `warnings`. With
              ?bodies each of the last 1,000 requests also has its body, without secrets, if it is JSON of at most
              64 KB
log.har       GET: the last 1,000 requests and their answers as a HAR file, without secrets, each up to 64 KB
timeline      GET: {"requests": [...], "interactions": [...]} after ?after=<number of a request>, for the page at `/`
timeline/<n>  GET: request number n with its body and answer
interactions  GET: the stored interactions, oldest first: [{id, status, target, input, events, steps, background,
              created, updated, previous_interaction_id}]; events and steps are counts.
              With ?steps each has its `resource` with input and output steps
scope         DELETE, with the header x-emulator-scope: ends that scope (see `http/scopes.py`)
unused        GET: {"faults": [<fault>], "scenarios": [{"where", "match", "file"}]}: the faults that have hit no
              request, and the scenarios that have answered none; file: whether the scenario comes from a file
deliveries    GET: attempts to deliver messages: [{time, id, uri, type, attempt, status}]; status null: no answer
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from interactions_emulator.contents import text_of
from interactions_emulator.engine.interaction import Cursor, Interaction
from interactions_emulator.engine.request_log import MAX_CAPTURES
from interactions_emulator.errors import Refused
from interactions_emulator.faults.fault import to_json
from interactions_emulator.faults.parsing import parse_faults, read_json_or_name
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.har import to_har
from interactions_emulator.http.timeline import MAX_SHOWN, details, row
from interactions_emulator.loopback import is_loopback

Endpoint = Callable[[Request], Awaitable[Response]]

_CLOCK = '{"advance": seconds} or {"speed": number or "inf"}'


def control_routes(context: AppContext) -> list[Route]:
    runs, faults, log = context.runs, context.faults, context.log

    async def show_faults(request: Request) -> Response:
        if request.method == "DELETE":
            faults.clear()
        if request.method == "POST":
            text = (await request.body()).decode("utf-8", "replace")
            faults.add(parse_faults(read_json_or_name(text, "the body")))
        return JSONResponse(faults.show())

    async def clock(request: Request) -> Response:
        if request.method == "POST":
            await _set_clock(context, await _json(request))
            await runs.wait_until_settled()
        speed: Any = runs.clock.speed
        return JSONResponse({"now": runs.clock.now(), "speed": "inf" if speed == float("inf") else speed})

    async def show_log(request: Request) -> Response:
        return JSONResponse(
            {
                "creates": sum(runs.creates.values()),
                "creates_by_key": runs.creates,
                "connections": {"opened": log.opened, "open": log.open},
                "requests": log.with_bodies() if "bodies" in request.query_params else list(log.requests),
            }
        )

    async def har(request: Request) -> Response:
        return JSONResponse(to_har(log.captures), headers={"content-disposition": "attachment; filename=emulator.har"})

    async def timeline(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not after.isdecimal():
            raise Refused(400, f"after is the number of a request, not {after!r}")
        rows = [row(capture) for capture in log.captures if capture.number > int(after)]
        newest = islice(reversed(runs.stored.all.values()), MAX_SHOWN)
        return JSONResponse({"requests": rows, "interactions": [_summary(interaction) for interaction in newest]})

    async def timeline_row(request: Request) -> Response:
        number = request.path_params["number"]
        found = next((capture for capture in log.captures if capture.number == number), None)
        if found is None:
            raise Refused(404, f"request {number} is not kept: the log has the last {MAX_CAPTURES:,}")
        return JSONResponse(details(found))

    async def unused(request: Request) -> Response:
        scenarios = [
            {"where": one.where, "match": one.match.model_dump(mode="json", exclude_none=True), "file": one.shared}
            for one in context.script.unused()
        ]
        return JSONResponse({"faults": [to_json(fault) for fault in faults.unused()], "scenarios": scenarios})

    async def show_deliveries(request: Request) -> Response:
        return JSONResponse(list(context.deliveries.attempts))

    async def interactions(request: Request) -> Response:
        steps = "steps" in request.query_params
        return JSONResponse(
            [
                _summary(interaction) | ({"resource": interaction.resource(include_input=True)} if steps else {})
                for interaction in runs.stored.all.values()
            ]
        )

    return [
        Route("/faults", _local(show_faults), methods=["GET", "POST", "DELETE"]),
        Route("/clock", _local(clock), methods=["GET", "POST"]),
        Route("/log", _local(show_log)),
        Route("/log.har", _local(har)),
        Route("/timeline", _local(timeline)),
        Route("/timeline/{number:int}", _local(timeline_row)),
        Route("/interactions", _local(interactions)),
        Route("/unused", _local(unused)),
        Route("/deliveries", _local(show_deliveries)),
    ]


def _local(endpoint: Endpoint) -> Endpoint:
    async def for_local_peers(request: Request) -> Response:
        peer = request.client.host if request.client else ""
        # A browser on this machine also runs pages of other sites, which may reach us through DNS rebinding.
        origin = urlsplit(request.headers.get("origin", "http://localhost")).hostname or ""
        if not all(is_loopback(host) for host in (peer, request.url.hostname or "", origin)):
            raise Refused(403, "/_emulator/ answers only programs on the same machine as the emulator.")
        return await endpoint(request)

    return for_local_peers


async def _json(request: Request) -> Any:
    try:
        return from_json(await request.body())
    except ValueError as error:
        raise Refused(400, f"the body is not valid JSON: {error}") from error


async def _set_clock(context: AppContext, change: Any) -> None:
    if not isinstance(change, dict) or not change or change.keys() - {"advance", "speed"}:
        raise Refused(400, f"send {_CLOCK}, not {change!r:.200}")
    try:
        numbers = {name: float(value) for name, value in change.items()}
    except (TypeError, ValueError) as error:
        raise Refused(400, f"send {_CLOCK}, not {change!r:.200}") from error
    try:
        if "speed" in numbers:
            context.runs.clock.set_speed(numbers["speed"])
        if "advance" in numbers:
            await context.scheduler.advance(numbers["advance"])
    except ValueError as error:
        raise Refused(400, str(error)) from error
    context.runs.save_time()


def _summary(interaction: Interaction) -> dict[str, Any]:
    events = Cursor(interaction, sys.maxsize)
    events.read()  # counts the events without making them
    contents = [content for step in interaction.input for content in step.get("content", ())]
    return {
        "id": interaction.id,
        "status": interaction.status,
        "target": interaction.echoed.get("model") or interaction.echoed.get("agent"),
        "input": text_of(contents, "\n"),
        "events": events.number,
        "steps": len(interaction.steps),
        "background": interaction.background,
        "created": interaction.shown[0],
        "updated": interaction.shown[1],
        "previous_interaction_id": interaction.previous,
    }
