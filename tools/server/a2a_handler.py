"""Validates A2A requests and translates exceptions into A2A errors, for all methods."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

from a2a.server.context import ServerCallContext
from a2a.server.request_handlers import DefaultRequestHandler, RequestHandler
from a2a.utils.errors import A2AError, InternalError, InvalidParamsError
from google.adk.errors._stale_session_error import StaleSessionError
from google.adk.errors.input_validation_error import InputValidationError
from google.protobuf.message import Message  # type: ignore[import-untyped]

from tools.research.database_errors import DATABASE_ERRORS, refuses_value
from tools.research.locks import Locked
from tools.server.error_handlers import KeyReused, error_text
from tools.server.limits import MAX_NAME_CHARS, MAX_TASK_ID_CHARS
from tools.server.middleware.rate_limit import RateLimited

log = logging.getLogger(__name__)

A2A_INTERNAL_ERROR = (
    "The server failed to handle this message. Its log says why. It may be sent again, with its messageId."
)


class Handler(DefaultRequestHandler):
    """The SDK's request handler; `_guarded` adds validation and error translation to each of its methods."""


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    async def answer(self: Handler, params: Message, context: ServerCallContext) -> Any:
        with _a2a_errors():
            _check(params)
            return await method(self, params, context)

    async def stream(self: Handler, params: Message, context: ServerCallContext) -> AsyncGenerator[Any, None]:
        with _a2a_errors():
            _check(params)
            async with aclosing(method(self, params, context)) as events:
                async for event in events:
                    yield event

    return stream if method.__name__ in ("on_message_send_stream", "on_subscribe_to_task") else answer


for _name in RequestHandler.__abstractmethods__:
    setattr(Handler, _name, _guarded(getattr(DefaultRequestHandler, _name)))


@contextmanager
def _a2a_errors() -> Iterator[None]:
    try:
        yield
    except A2AError:
        raise
    except Exception as error:
        raise (InvalidParamsError if refuses_value(error) else InternalError)(a2a_error_text(error)) from None


def a2a_error_text(error: Exception) -> str:
    """The error text for the client. An unforeseen error is logged and gets a general text."""
    if isinstance(error, InputValidationError):
        return str(error)
    if refuses_value(error) or isinstance(error, (RateLimited, Locked, KeyReused, StaleSessionError, *DATABASE_ERRORS)):
        return error_text(error)
    log.exception("a message of another agent failed", exc_info=error)
    return A2A_INTERNAL_ERROR


def _check(message: Message) -> None:
    """Refuses ids that are too long for the tables or not printable, before anything is stored.

    Raises:
        InvalidParamsError: the message names the field and the limit.
    """
    for field, value in message.ListFields():
        for each in value if field.is_repeated else [value]:
            if isinstance(each, Message) and not each.DESCRIPTOR.full_name.startswith("google.protobuf."):
                _check(each)
            limit = _max_chars(field.name, message.DESCRIPTOR.name)
            if limit and (len(each) > limit or not each.isprintable() or each.strip() != each):
                raise InvalidParamsError(
                    f"`{field.json_name}` must have at most {limit} printable characters, without spaces at either end."
                )


def _max_chars(field: str, message: str) -> int:
    """Returns the maximum characters of a message's field; 0 if the field is not an id."""
    if field in ("task_id", "reference_task_ids") or (field == "id" and "Push" not in message):
        return MAX_TASK_ID_CHARS
    return MAX_NAME_CHARS if field == "id" or field.endswith("_id") else 0
