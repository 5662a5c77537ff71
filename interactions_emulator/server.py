"""The Interactions API over HTTP, as a Starlette application.

POST   /{version}/interactions              create: JSON, or a stream with "stream": true
GET    /{version}/interactions/{id}         JSON; with `include_input=true` the input before the output steps.
                                            With `stream=true` a stream, strictly after `last_event_id`
POST   /{version}/interactions/{id}/cancel
DELETE /{version}/interactions/{id}

`version` is any segment; the same stands below `/{version}/projects/{project}/locations/{location}`, as
Vertex AI has it. A stream is silent while nothing happens, like the real one: nothing keeps it alive, and
nothing times out. Beside the API: `/` says who this is, `/documents/{id}` shows what answers cite,
`/weather/v1/` is a synthetic weather service, and `/_emulator/` (see `control`) is for tests.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from interactions_emulator import __version__, weather
from interactions_emulator.control import control_routes
from interactions_emulator.errors import Refused, error_body
from interactions_emulator.faults import Fault, Faults, parse_header
from interactions_emulator.request import parse_create
from interactions_emulator.runs import Run, Runs, resource
from interactions_emulator.streams import Cut, EventStream, Hang, first_of

Endpoint = Callable[[Request], Awaitable[Response]]

SERVER = f"interactions-emulator/{__version__}"
_LEGACY = re.compile(r"google-genai-sdk/1\.\S*")
_PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}


class Documents(Protocol):
    """What the server needs of a corpus."""

    def page(self, document_id: str) -> str | None:
        """Return a document as an HTML page, or None if there is none of this id."""

    def __len__(self) -> int:
        """Return the number of documents."""


class Activity:
    """When the server last had something to do, in seconds of `time.monotonic`."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def now(self) -> None:
        self.last = time.monotonic()


def create_app(
    runs: Runs, faults: Faults, documents: Documents | None, closing: asyncio.Event, activity: Activity
) -> Starlette:
    """Return the application. Setting `closing` cuts all open streams, so that a server can stop."""
    api = _Api(runs, faults, closing)

    async def about(request: Request) -> Response:
        return JSONResponse(
            {
                "name": "interactions-emulator",
                "version": __version__,
                "documents": await asyncio.to_thread(len, documents) if documents is not None else 0,
                "interactions": "/v1beta/interactions",
                "weather": "/weather/v1",
                "note": "This is not Gemini: a local server that speaks the wire of its Interactions API.",
            }
        )

    async def document(request: Request) -> Response:
        name = request.path_params["id"]
        page = await asyncio.to_thread(documents.page, name) if documents is not None else None
        if page is None:
            raise Refused(404, f"There is no document {name} in the corpus of this server.")
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    def noted(endpoint: Endpoint, kind: str) -> Endpoint:
        async def answer(request: Request) -> Response:
            response = await endpoint(request)
            runs.state.add_request(request.method, request.url.path, response.status_code, None, kind)
            return response

        return answer

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        runs.resume()
        yield
        await runs.stop()

    routes: list[BaseRoute] = [
        Route("/", about),
        Route("/documents/{id:path}", noted(document, "document")),
        Route("/weather/v1/search", noted(weather.geocode, "weather")),
        Route("/weather/v1/forecast", noted(weather.predict, "weather")),
        Mount("/_emulator", routes=control_routes(runs, faults)),
        Mount("/{version}/projects/{project}/locations/{location}", routes=api.routes()),
        Mount("/{version}", routes=api.routes()),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={Refused: _refused, HTTPException: _http_error, Exception: _broken},
    )
    app.router.redirect_slashes = False
    app.add_middleware(_NoteActivity, activity=activity)
    return app


class _Api:
    """The five operations, each with its fault and its line in the log."""

    def __init__(self, runs: Runs, faults: Faults, closing: asyncio.Event) -> None:
        self._runs = runs
        self._faults = faults
        self._closing = closing

    def routes(self) -> list[Route]:
        return [
            Route("/interactions", self.create, methods=["POST"]),
            Route("/interactions/{id}", self.get, methods=["GET"]),
            Route("/interactions/{id}", self.delete, methods=["DELETE"]),
            Route("/interactions/{id}/cancel", self.cancel, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        async def act(fault: Fault | None) -> Response:
            run = self._runs.create(parsed, f"http://{request.url.netloc}/documents/")
            request.state.interaction_id = run.interaction.id
            if parsed.stream:
                return EventStream(run, 0, fault, self._closing)
            if not parsed.background:
                return await self._when_finished(run)
            return JSONResponse(resource(run.interaction))

        request.state.kind = "create"
        try:
            _authorize(request)
            parsed = parse_create(await request.body())
        except Refused as refused:
            return self._answer(request, _error(refused.status, refused.message))
        return await self._operation(request, "create_stream" if parsed.stream else "create", act)

    async def get(self, request: Request) -> Response:
        streaming = request.query_params.get("stream", "false")

        async def act(fault: Fault | None) -> Response:
            if streaming not in ("true", "false"):
                raise Refused(400, f"stream is true or false, not {streaming!r}")
            run = self._runs.find(request.path_params["id"])
            if streaming == "true":
                position = _position(run, request.query_params.get("last_event_id"))
                return EventStream(run, position, fault, self._closing)
            include_input = request.query_params.get("include_input") == "true"
            body = resource(run.interaction, include_input)
            if fault and fault.no_usage:
                body.pop("usage", None)
            return JSONResponse(body)

        return await self._operation(request, "resume" if streaming == "true" else "get", act)

    async def cancel(self, request: Request) -> Response:
        async def act(fault: Fault | None) -> Response:
            return JSONResponse(resource(self._runs.cancel(request.path_params["id"]).interaction))

        return await self._operation(request, "cancel", act)

    async def delete(self, request: Request) -> Response:
        async def act(fault: Fault | None) -> Response:
            self._runs.delete(request.path_params["id"])
            return JSONResponse({})

        return await self._operation(request, "delete", act)

    async def _operation(
        self, request: Request, kind: str, act: Callable[[Fault | None], Awaitable[Response]]
    ) -> Response:
        """Do what is asked, unless a fault comes first or afterwards."""
        request.state.kind = kind
        try:
            _authorize(request)
            fault = self._fault(request, kind)
            if fault and fault.refuses and not fault.after_accept:
                return self._answer(request, self._refusal(fault, kind))
            response = await act(fault)
            if fault:
                await asyncio.sleep(fault.delay_ms / 1000)
            return self._answer(request, self._refusal(fault, kind) if fault and fault.after_accept else response)
        except Refused as refused:
            return self._answer(request, _error(refused.status, refused.message))

    def _fault(self, request: Request, kind: str) -> Fault | None:
        kinds = {kind}
        if kind == "create_stream":
            kinds |= {"create", "stream"}
        if kind == "resume":
            kinds |= {"stream"}
        header = request.headers.get("x-emulator-fault")
        return self._faults.hit(kinds) if header is None else parse_header(header, kind)

    def _answer(self, request: Request, response: Response) -> Response:
        status = None if isinstance(response, Cut) else response.status_code
        named = request.path_params.get("id") or getattr(request.state, "interaction_id", None)
        self._runs.state.add_request(request.method, request.url.path, status, named, request.state.kind)
        return response

    def _refusal(self, fault: Fault, kind: str) -> Response:
        if fault.hang:
            return Hang(self._closing)
        if fault.status is None:
            return Cut()
        message = f"Fault on request: {kind} is answered with status {fault.status}."
        if (kind, fault.status) == ("cancel", 404):
            message = "Method not found."
        response = _error(fault.status, message)
        if fault.retry_after_ms is not None:
            response.headers["retry-after-ms"] = str(fault.retry_after_ms)
            if fault.retry_after_ms >= 1000:
                response.headers["retry-after"] = str(fault.retry_after_ms // 1000)
        return response

    async def _when_finished(self, run: Run) -> Response:
        await first_of(run.finished(), self._closing.wait())
        return JSONResponse(resource(run.interaction)) if run.interaction.finished else Cut()


class _NoteActivity:
    """Notes the beginning and the end of each request."""

    def __init__(self, app: ASGIApp, activity: Activity) -> None:
        self._app = app
        self._activity = activity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._activity.now()
        try:
            await self._app(scope, receive, send)
        finally:
            self._activity.now()


def _authorize(request: Request) -> None:
    legacy = _LEGACY.search(request.headers.get("user-agent", ""))
    if legacy:
        raise Refused(
            400,
            f"{legacy.group()} speaks the Interactions API as it was before steps, which is switched off: "
            'pip install --upgrade "google-genai>=2.34"',
        )
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = scheme.lower() == "bearer" and token.strip()
    if not bearer and not request.headers.get("x-goog-api-key", "").strip():
        raise Refused(
            401,
            "No API key: send the header x-goog-api-key (any value) or Authorization: Bearer <any value>.",
        )


def _position(run: Run, last_event_id: str | None) -> int:
    """Return how many events lie before the cursor, which is in the run or refused (400)."""
    if last_event_id is None:
        return 0
    head, _, number = last_event_id.rpartition("_")
    position = int(number) if number.isdecimal() else 0
    if head != f"evt_{run.interaction.id[-6:]}" or not 0 < position <= len(run.interaction.events):
        raise Refused(
            400,
            f"last_event_id {last_event_id!r} is no event of interaction {run.interaction.id}: "
            "give the event_id of an event of its stream, or none to begin at the start",
        )
    return position


def _error(status: int, message: str) -> Response:
    return JSONResponse(error_body(status, message), status_code=status)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return _error(error.status, error.message)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}. The API is at /v1beta/interactions."
    response = _error(error.status_code, message)
    response.headers.update(error.headers or {})
    return response


async def _broken(request: Request, error: Exception) -> Response:
    return _error(500, f"The emulator failed: {type(error).__name__}: {error}. Its log says more.")
