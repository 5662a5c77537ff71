"""Turns errors into sentences for the caller, and into errors of the protocol."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Any, TypeVar

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS
from pydantic import ValidationError

from tools.errors import DeskError
from tools.mcp_server.confirmation import AnswerNeeded
from tools.mcp_server.limits import MAX_PARAMETER_CHARS
from tools.text.secret_redaction import redact

T = TypeVar("T")
log = logging.getLogger(__name__)

INTERNAL_ERROR = "The call failed inside the server, whose log says why. It may be sent again: no run starts twice."


async def name_invalid_parameter(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Names the parameter of a method that is not valid. The SDK says "Invalid request parameters" about each."""
    try:
        return await call_next(ctx)
    except ValidationError as error:
        found = error.errors(include_input=False)[0]
        name = ".".join(map(str, found["loc"]))[:MAX_PARAMETER_CHARS]
        raise MCPError(code=INVALID_PARAMS, message=f"`{name}` of {ctx.method}: {found['msg']}") from None


class Failed(DeskError):
    """An unforeseen error, or one of the database. The message says what to do."""


async def foreseen(work: Awaitable[T]) -> T:
    """Awaits; turns errors of the database and unforeseen errors into `Failed`.

    Raises:
        DeskError, AnswerNeeded: as raised by `work`; any other exception becomes `Failed`.
    """
    from tools.research.database_errors import DATABASE_ERRORS, describe_database_error

    try:
        return await work
    except TimeoutError:
        raise Failed("there was no answer in time; what was started goes on: research_status shows it") from None
    except DATABASE_ERRORS as error:  # before `DeskError`, because one of these errors is a subclass of it
        raise Failed(f"{describe_database_error(error)}; the same call may be sent again") from None
    except (DeskError, AnswerNeeded):
        raise
    except Exception:
        log.exception("a call failed")
        raise Failed(INTERNAL_ERROR) from None


async def or_protocol_error(work: Awaitable[T]) -> T:
    """Awaits; raises the protocol's error with the sentence of a `DeskError`."""
    try:
        return await foreseen(work)
    except DeskError as error:
        raise MCPError(code=INVALID_PARAMS, message=redact(str(error))) from None
