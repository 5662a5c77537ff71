"""The application: the API, and Starlette for all other pages.

`http/api.py` has the API, and `docs/api.md` lists its endpoints. A stream is silent while nothing happens,
like the real one: there is no keep-alive and no timeout.

Beside the API: `/` describes the server, as JSON, or to a browser as a timeline of its requests; `/documents/{id}`
shows the documents that answers cite; `/weather/v1/` is a synthetic weather service; `/.well-known/jwks.json` has the
key that verifies deliveries; and `/_emulator/` (see `http/control_routes.py`) is for tests.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from interactions_emulator.errors import Refused, error_body
from interactions_emulator.http.api import Api, internal_error
from interactions_emulator.http.connection import Exchange, Remainder
from interactions_emulator.http.context import AppContext
from interactions_emulator.http.control_routes import control_routes
from interactions_emulator.http.responses import AsgiResponse, refusal
from interactions_emulator.synthetic import weather
from interactions_emulator.version import __version__

Endpoint = Callable[[Request], Awaitable[Response]]

logger = logging.getLogger(__name__)

_PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}
_TIMELINE = Path(__file__).with_name("timeline.html")
_TIMELINE_HEADERS = {
    "content-security-policy": "default-src 'self'; style-src 'unsafe-inline' 'self'; img-src data:",
    "x-content-type-options": "nosniff",
}


def create_app(context: AppContext) -> App:
    """Return the application."""
    documents = context.documents

    async def about(request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(_TIMELINE.read_bytes(), headers=_TIMELINE_HEADERS)
        return JSONResponse(
            {
                "name": "interactions-emulator",
                "version": __version__,
                "documents": await asyncio.to_thread(len, documents) if documents is not None else 0,
                "interactions": "/v1beta/interactions",
                "weather": "/weather/v1",
                "note": "This is not Gemini: a local server with the protocol of its Interactions API.",
            }
        )

    async def script(request: Request) -> Response:
        return Response(_TIMELINE.with_suffix(".js").read_bytes(), media_type="text/javascript")

    async def document(request: Request) -> Response:
        name = request.path_params["id"]
        page = await asyncio.to_thread(documents.page, name) if documents is not None else None
        if page is None:
            raise Refused(404, f"There is no document {name} in the corpus of this server.")
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    async def keys(request: Request) -> Response:
        return JSONResponse(await context.deliveries.keys())

    def logged(endpoint: Endpoint, kind: str) -> Endpoint:
        async def answer(request: Request) -> Response:
            response = await endpoint(request)
            line = {"method": request.method, "path": request.url.path, "status": response.status_code, "kind": kind}
            context.log.add(line | dict.fromkeys(("interaction_id", "key", "connection")))
            return response

        return answer

    starlette = Starlette(
        routes=[
            Route("/", about),
            Route("/timeline.js", script),
            Route("/documents/{id:path}", logged(document, "document")),
            Route("/weather/v1/search", logged(weather.geocode, "weather")),
            Route("/weather/v1/forecast", logged(weather.predict, "weather")),
            Route("/.well-known/jwks.json", keys),
            Mount("/_emulator", routes=control_routes(context)),
        ],
        exception_handlers={Refused: _refused, HTTPException: _http_error, Exception: _internal_error},
    )
    starlette.router.redirect_slashes = False
    return App(context, starlette)


class App:
    """The API, and Starlette for all other paths. Limits the number of requests answered at once."""

    def __init__(self, context: AppContext, pages: Starlette) -> None:
        self.context = context
        self.pages = pages
        self._api = Api(context)
        self._log = context.log
        self._max_concurrent = context.limits.max_concurrent_requests
        self._open: set[Exchange] = set()
        """The requests whose answers have begun; usually these are streams."""

    @property
    def active(self) -> bool:
        """Whether a request is being answered or an interaction is in progress."""
        return bool(self._open or self.context.runs.live)

    async def stop(self) -> None:
        """Cut the open answers and stop all tasks. What is in the state file continues with the next server."""
        for exchange in self._open:
            exchange.cut()
        await self.context.stop()

    def __call__(self, exchange: Exchange) -> Remainder:
        """Start the answer. Return a coroutine that sends the rest, or None if everything is sent."""
        if len(self._open) >= self._max_concurrent:
            busy = Refused(429, f"{self._max_concurrent} requests are being answered already: close some streams")
            return refusal(busy).send(exchange)
        self._log.touch()
        remainder = (self._api.answer(exchange) or AsgiResponse(self.pages)).send(exchange)
        return None if remainder is None else self._finish(exchange, remainder)

    async def _finish(self, exchange: Exchange, remainder: Coroutine[Any, Any, None]) -> None:
        self._open.add(exchange)
        try:
            await remainder
        except Exception as failure:
            logger.exception("%s %s failed", exchange.method, exchange.path)
            if exchange.begun:
                exchange.cut()
            else:
                refusal(internal_error(failure)).send(exchange)
        finally:
            self._open.remove(exchange)
            self._log.touch()


async def _refused(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)
    return JSONResponse(error_body(refused.status, refused.message), refused.status)


async def _http_error(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, HTTPException)
    message = f"{request.method} {request.url.path}: {failure.detail}. The API is at /v1beta/interactions."
    return JSONResponse(error_body(failure.status_code, message), failure.status_code, failure.headers)


async def _internal_error(request: Request, failure: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=failure)
    refused = internal_error(failure)
    return JSONResponse(error_body(refused.status, refused.message), refused.status)
