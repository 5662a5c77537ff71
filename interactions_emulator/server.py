"""The Interactions API over HTTP, as a Starlette application.

POST   /{version}/interactions              create: JSON, or a stream with "stream": true
GET    /{version}/interactions/{id}         JSON; with `include_input=true` the input before the output steps.
                                            With `stream=true` a stream, strictly after `last_event_id`
POST   /{version}/interactions/{id}/cancel
DELETE /{version}/interactions/{id}
       /{version}/webhooks                  see `webhooks`

`version` is any segment; the same stands below `/{version}/projects/{project}/locations/{location}`, as
Vertex AI has it. A stream is silent while nothing happens, like the real one: nothing keeps it alive, and
nothing times out. Beside the API: `/` says who this is, `/documents/{id}` shows what answers cite,
`/weather/v1/` is a synthetic weather service, `/.well-known/jwks.json` has the key that checks deliveries, and
`/_emulator/` (see `control`) is for tests.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from interactions_emulator import __version__, weather
from interactions_emulator.control import control_routes
from interactions_emulator.errors import Refused, error_body
from interactions_emulator.faults import Fault, parse_header
from interactions_emulator.interaction import Cursor
from interactions_emulator.log import fingerprint
from interactions_emulator.parts import Parts
from interactions_emulator.request import parse_create, parse_object
from interactions_emulator.runs import Run
from interactions_emulator.streams import CONNECTION, Cut, EventStream, Hang, Json, first_of

Act = Callable[[Fault | None], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]

SERVER = f"interactions-emulator/{__version__}"
_LEGACY = re.compile(r"google-genai-sdk/1\.\S*")
_PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}


def create_app(parts: Parts) -> Starlette:
    """Return the application."""
    api = _Api(parts)
    documents = parts.documents

    async def about(request: Request) -> Response:
        return Json(
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

    async def keys(request: Request) -> Response:
        return Json(await asyncio.to_thread(parts.deliveries.keys))

    def noted(endpoint: Endpoint, kind: str) -> Endpoint:
        async def answer(request: Request) -> Response:
            response = await endpoint(request)
            parts.log.add(
                method=request.method,
                path=request.url.path,
                status=response.status_code,
                interaction_id=None,
                kind=kind,
                key=None,
                connection=request.scope[CONNECTION],
            )
            return response

        return answer

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        parts.runs.resume()
        parts.deliveries.resume()
        yield
        await parts.runs.stop()
        await parts.deliveries.stop()

    routes: list[BaseRoute] = [
        *api.routes("/{version}"),
        Route("/", about),
        Route("/documents/{id:path}", noted(document, "document")),
        Route("/weather/v1/search", noted(weather.geocode, "weather")),
        Route("/weather/v1/forecast", noted(weather.predict, "weather")),
        Route("/.well-known/jwks.json", keys),
        Mount("/_emulator", routes=control_routes(parts)),
        *api.routes("/{version}/projects/{project}/locations/{location}"),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={Refused: _refused, HTTPException: _http_error, ClientDisconnect: _left, Exception: _broken},
    )
    app.router.redirect_slashes = False
    app.add_middleware(_Gate, parts=parts)
    return app


class _Api:
    """The operations, each with its fault and its line in the log."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._runs = parts.runs
        self._webhooks = parts.webhooks

    def routes(self, prefix: str) -> list[Route]:
        one = f"{prefix}/interactions/{{id}}"
        hooks = f"{prefix}/webhooks"
        return [
            Route(f"{prefix}/interactions", self.create, methods=["POST"]),
            Route(one, self.get, methods=["GET"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/cancel", self.cancel, methods=["POST"]),
            Route(hooks, self.add_webhook, methods=["POST"]),
            Route(hooks, self.list_webhooks, methods=["GET"]),
            Route(f"{hooks}/{{id}}:ping", self.ping_webhook, methods=["POST"]),
            Route(f"{hooks}/{{id}}:rotateSigningSecret", self.rotate_webhook, methods=["POST"]),
            Route(f"{hooks}/{{id}}", self.get_webhook, methods=["GET"]),
            Route(f"{hooks}/{{id}}", self.update_webhook, methods=["PATCH"]),
            Route(f"{hooks}/{{id}}", self.delete_webhook, methods=["DELETE"]),
        ]

    async def create(self, request: Request) -> Response:
        async def act(fault: Fault | None) -> Response:
            for uri in (parsed.head.get("webhook_config") or {}).get("uris", ()):
                self._webhooks.check_uri(uri)
            documents_url = f"http://{request.url.netloc}/documents/"
            run = self._runs.create(parsed, documents_url, fingerprint(_key(request)), bool(fault and fault.zombie))
            request.state.interaction_id = run.interaction.id
            if parsed.stream:
                return self._stream(run, Cursor(run.interaction, usage=not (fault and fault.no_usage)), fault)
            if not parsed.background:
                await first_of(run.finished(), self._parts.closing.wait())
            return Json(run.interaction.resource()) if parsed.background or run.interaction.finished else Cut()

        request.state.kind = "create"
        try:
            self._authorize(request)
            parsed = parse_create(await self._body(request))
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
                cursor = _cursor(run, request.query_params.get("last_event_id"), bool(fault and fault.no_usage))
                return self._stream(run, cursor, fault)
            body = run.interaction.resource(request.query_params.get("include_input") == "true")
            if fault and fault.no_usage:
                body.pop("usage", None)
            return Json(body)

        return await self._operation(request, "resume" if streaming == "true" else "get", act)

    async def cancel(self, request: Request) -> Response:
        async def act(fault: Fault | None) -> Response:
            return Json(self._runs.cancel(request.path_params["id"]).interaction.resource())

        return await self._operation(request, "cancel", act)

    async def delete(self, request: Request) -> Response:
        async def act(fault: Fault | None) -> Response:
            self._runs.delete(request.path_params["id"])
            return Json({})

        return await self._operation(request, "delete", act)

    async def add_webhook(self, request: Request) -> Response:
        return await self._webhook(request, lambda body: self._webhooks.create(body))

    async def list_webhooks(self, request: Request) -> Response:
        return await self._webhook(request, lambda body: self._webhooks.show())

    async def get_webhook(self, request: Request) -> Response:
        return await self._webhook(request, lambda body: self._webhooks.find(request.path_params["id"]).resource())

    async def update_webhook(self, request: Request) -> Response:
        return await self._webhook(request, lambda body: self._webhooks.update(request.path_params["id"], body))

    async def delete_webhook(self, request: Request) -> Response:
        return await self._webhook(request, lambda body: self._webhooks.delete(request.path_params["id"]))

    async def ping_webhook(self, request: Request) -> Response:
        return await self._webhook(request, lambda body: self._parts.deliveries.ping(request.path_params["id"]))

    async def rotate_webhook(self, request: Request) -> Response:
        return await self._webhook(request, lambda body: self._webhooks.rotate(request.path_params["id"], body))

    async def _webhook(self, request: Request, act: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
        async def acting(fault: Fault | None) -> Response:
            return Json(act(parse_object(await self._body(request) or b"{}")))

        return await self._operation(request, "webhooks", acting)

    def _stream(self, run: Run, cursor: Cursor, fault: Fault | None) -> Response:
        return EventStream(run, cursor, fault, self._parts.closing, self._parts.crash)

    async def _operation(self, request: Request, kind: str, act: Act) -> Response:
        """Do what is asked, unless a fault comes first or afterwards."""
        request.state.kind = kind
        try:
            self._authorize(request)
            fault = self._fault(request, kind)
            if fault and fault.refuses and not fault.after_accept:
                return self._answer(request, self._refusal(fault, kind))
            response = await act(fault)
            if fault:
                await asyncio.sleep(fault.delay_ms / 1000)
            return self._answer(request, self._refusal(fault, kind) if fault and fault.after_accept else response)
        except Refused as refused:
            return self._answer(request, _error(refused.status, refused.message))

    def _authorize(self, request: Request) -> None:
        legacy = _LEGACY.search(request.headers.get("user-agent", ""))
        if legacy:
            raise Refused(
                400,
                f"{legacy.group()} speaks the Interactions API as it was before steps, which is switched off: "
                'pip install --upgrade "google-genai>=2.34", or npm install @google/genai@latest',
            )
        key, token = _key(request), self._parts.token
        if not key:
            raise Refused(
                401, "No API key: send the header x-goog-api-key (any value) or Authorization: Bearer <any value>."
            )
        if token and not hmac.compare_digest(key.encode(), token.encode()):
            raise Refused(401, "This is not the token that the emulator was started with: send that as the API key.")

    async def _body(self, request: Request) -> bytes:
        most, parts, size = self._parts.limits.body, [], 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise Refused(413, f"the body is larger than {most} bytes")
            parts.append(part)
        return b"".join(parts)

    def _fault(self, request: Request, kind: str) -> Fault | None:
        kinds = {kind}
        if kind == "create_stream":
            kinds |= {"create", "stream"}
        if kind == "resume":
            kinds |= {"stream"}
        header = request.headers.get("x-emulator-fault")
        return self._parts.faults.hit(kinds) if header is None else parse_header(header, kind)

    def _answer(self, request: Request, response: Response) -> Response:
        key = _key(request)
        self._parts.log.add(
            method=request.method,
            path=request.url.path,
            status=None if isinstance(response, Cut) else response.status_code,
            interaction_id=request.path_params.get("id") or getattr(request.state, "interaction_id", None),
            kind=request.state.kind,
            key=fingerprint(key) if key else None,
            connection=request.scope[CONNECTION],
        )
        return response

    def _refusal(self, fault: Fault, kind: str) -> Response:
        if fault.crash:
            self._parts.crash()
        if fault.hang:
            return Hang(self._parts.closing)
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


class _Gate:
    """Counts what is being answered, and lets no more in than may be."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._log = parts.log
        self._most = parts.limits.streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if self._log.busy >= self._most:
            busy = _error(429, f"{self._most} requests are being answered already: close some streams")
            return await busy(scope, receive, send)
        self._log.begin()
        try:
            await self._app(scope, receive, send)
        finally:
            self._log.end()
        return None


def _key(request: Request) -> str:
    """The API key of a request, or its bearer token."""
    key = request.headers.get("x-goog-api-key", "").strip()
    if key:
        return key
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _cursor(run: Run, last_event_id: str | None, no_usage: bool) -> Cursor:
    """Return the place after an event, which is in the run or refused (400)."""
    if last_event_id is None:
        return Cursor(run.interaction, usage=not no_usage)
    head, _, number = last_event_id.rpartition("_")
    position = int(number) if number.isdecimal() and len(number) < 10 else 0
    events = Cursor(run.interaction, position)
    events.read()
    if head != f"evt_{run.interaction.id[-6:]}" or not 0 < position <= events.number:
        raise Refused(
            400,
            f"last_event_id {last_event_id!r} is no event of interaction {run.interaction.id}: "
            "give the event_id of an event of its stream, or none to begin at the start",
        )
    return Cursor(run.interaction, position, usage=not no_usage)


def _error(status: int, message: str) -> Response:
    return Json(error_body(status, message), status_code=status)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return _error(error.status, error.message)


async def _left(request: Request, error: Exception) -> Response:
    return Cut()


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}. The API is at /v1beta/interactions."
    response = _error(error.status_code, message)
    response.headers.update(error.headers or {})
    return response


async def _broken(request: Request, error: Exception) -> Response:
    return _error(500, f"The emulator failed: {type(error).__name__}: {error}. Its log says more.")
