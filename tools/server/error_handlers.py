"""Turns errors into HTTP responses: one plain sentence for the client, without internals."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from google.adk.errors._stale_session_error import StaleSessionError
from google.adk.errors.input_validation_error import InputValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools.errors import DeskError
from tools.research.database_errors import DATABASE_ERRORS, refuses_value
from tools.research.locks import Locked
from tools.server.middleware.rate_limit import RateLimited

log = logging.getLogger(__name__)

INTERNAL_ERROR = "The server failed to handle this request. Its log says why. The same request may be sent again."


class RequestRejected(DeskError):
    """The request is refused before it is served. The message says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class KeyReused(DeskError):
    """The `Idempotency-Key` already belongs to another message of the conversation."""


def json_error(status: int, why: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Returns an error response with `why` as its detail."""
    return JSONResponse({"detail": why}, status, headers)


def error_response(error: BaseException) -> JSONResponse:
    """Returns the response for a foreseen error, with `Retry-After` if a retry can help."""
    if isinstance(error, RateLimited):
        return json_error(
            429, error_text(error), {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else None
        )
    if isinstance(error, Locked | StaleSessionError):
        return json_error(409, error_text(error), {"Retry-After": "1"})
    if isinstance(error, KeyReused):
        return json_error(422, error_text(error))
    if refuses_value(error):
        return json_error(400, error_text(error))
    return json_error(503, error_text(error), {"Retry-After": "2"})


def error_text(error: BaseException) -> str:
    """The text of a foreseen error, for the client."""
    if isinstance(error, RateLimited):
        return str(error)
    if isinstance(error, Locked | StaleSessionError):
        return "another turn of this conversation is under way"
    if isinstance(error, KeyReused):
        return "this Idempotency-Key belongs to another message of the conversation: send the message with a new key"
    if refuses_value(error):
        return "the database refuses a value of this request: a name may be too long, or exist already"
    return "the database does not answer now"


def add_error_handlers(routes: FastAPI) -> None:
    """Makes ADK's application answer errors with the responses of this module."""
    for error in (StaleSessionError, *DATABASE_ERRORS):
        routes.add_exception_handler(error, lambda _, raised: error_response(raised))
    routes.add_exception_handler(InputValidationError, lambda _, raised: json_error(400, str(raised)))
    routes.add_exception_handler(HTTPException, _http_error)  # type: ignore[arg-type]
    routes.add_exception_handler(
        Exception, lambda _, raised: json_error(500, INTERNAL_ERROR)
    )  # Starlette raises the exception again afterwards, and `ErrorBoundary` logs it


async def _http_error(request: Request, raised: HTTPException) -> Response:
    """Replaces ADK 2.13's 500 response, which shows the text of any error of a service (`api_server.py:1295`)."""
    if raised.status_code < 500:
        return await http_exception_handler(request, raised)
    if isinstance(raised.__cause__, (RateLimited, StaleSessionError, *DATABASE_ERRORS)):
        return error_response(raised.__cause__)
    log.error("a request failed: %s", type(raised.__cause__ or raised).__name__, exc_info=raised)
    return json_error(raised.status_code, INTERNAL_ERROR)


class ErrorBoundary:
    """ASGI middleware that turns any unforeseen exception into a 500 and a log entry."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            log.exception("a request failed")
            if not started:
                await json_error(500, INTERNAL_ERROR)(scope, receive, send)
