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
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from interactions_emulator import __version__, weather
from interactions_emulator.api import Api, broken, error
from interactions_emulator.call import Call
from interactions_emulator.control import control_routes
from interactions_emulator.errors import Refused
from interactions_emulator.parts import Parts
from interactions_emulator.streams import Cut, Json

Endpoint = Callable[[Request], Awaitable[Response]]

SERVER = f"interactions-emulator/{__version__}"
_PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}


def create_app(parts: Parts) -> App:
    """Return the application."""
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
            call = Call(request.scope, request.receive, "")
            call.kind = kind
            response = await endpoint(request)
            parts.log.add(call.line(response.status_code))
            return response

        return answer

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        parts.runs.resume()
        parts.deliveries.resume()
        yield
        await parts.runs.stop()
        await parts.deliveries.stop()

    starlette = Starlette(
        routes=[
            Route("/", about),
            Route("/documents/{id:path}", noted(document, "document")),
            Route("/weather/v1/search", noted(weather.geocode, "weather")),
            Route("/weather/v1/forecast", noted(weather.predict, "weather")),
            Route("/.well-known/jwks.json", keys),
            Mount("/_emulator", routes=control_routes(parts)),
        ],
        lifespan=lifespan,
        exception_handlers={Refused: _refused, HTTPException: _http_error, ClientDisconnect: _left, Exception: _broken},
    )
    starlette.router.redirect_slashes = False
    return App(parts, starlette)


class App:
    """The API, and Starlette for the rest. Counts what is being answered, and lets no more in than may be."""

    def __init__(self, parts: Parts, rest: ASGIApp) -> None:
        self._api = Api(parts)
        self._rest = rest
        self._log = parts.log
        self._most = parts.limits.streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._rest(scope, receive, send)
        self._log.begin()
        try:
            if self._log.busy > self._most:
                raise Refused(429, f"{self._most} requests are being answered already: close some streams")
            operation = self._api.operation(scope)
            if operation:
                await self._api.answer(*operation, scope, receive, send)
            else:
                await self._rest(scope, receive, send)
        except Refused as refused:
            await error(refused)(scope, receive, send)
        finally:
            self._log.end()
        return None


async def _refused(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)
    return error(refused)


async def _left(request: Request, left: Exception) -> Response:
    return Cut()


async def _http_error(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, HTTPException)
    message = f"{request.method} {request.url.path}: {failure.detail}. The API is at /v1beta/interactions."
    response = error(Refused(failure.status_code, message))
    response.headers.update(failure.headers or {})
    return response


async def _broken(request: Request, failure: Exception) -> Response:
    return error(broken(failure))
