"""Builds the errors that answer invalid messages. On standard input, the SDK (mcp 2.3) drops them, and clients wait."""

from __future__ import annotations

import json

from mcp_types import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR
from mcp_types.jsonrpc import ErrorData, JSONRPCError, RequestId, jsonrpc_message_adapter
from pydantic import ValidationError


def error_for(text: str | bytes) -> JSONRPCError | None:
    """Returns the error that answers a text; None if the text is a message of JSON-RPC 2.0.

    The error has the id of the request if the text contains an id.
    """
    try:
        message = json.loads(text if isinstance(text, str) else text.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _error(PARSE_ERROR, None, "the message is not JSON in UTF-8, or is nested much too deeply")
    if not isinstance(message, dict):
        return _error(INVALID_REQUEST, None, "a message has to be one JSON object: send each message by itself")
    asks = not message.keys() & {"result", "error"}  # else its id belongs to a request of the server
    id_ = message.get("id") if asks else None
    if "id" in message and asks and not _is_id(id_):
        return _error(INVALID_REQUEST, None, "`id` has to be a text or a whole number")
    if "method" in message and not isinstance(message.get("params"), dict | None):
        return _error(INVALID_PARAMS, id_, "`params` has to be an object")
    try:
        jsonrpc_message_adapter.validate_json(text, by_name=False)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":  # the SDK's parser is stricter than Python's
            return _error(INVALID_PARAMS, id_, "the message has half of a surrogate pair, or is nested too deeply")
        return _error(INVALID_REQUEST, id_, "the message has to be a request, a notification or an answer")
    return None


def _refuse(constant: str) -> None:
    """Refuses NaN and infinities, which JSON does not have."""
    raise ValueError(constant)


def _is_id(value: object) -> bool:
    """Whether a value is a valid id: a text or a whole number, and not true, false or half a surrogate pair."""
    return type(value) is int or (isinstance(value, str) and value.encode(errors="ignore").decode() == value)


def _error(code: int, id_: RequestId | None, sentence: str) -> JSONRPCError:
    words = f"{sentence} (JSON-RPC 2.0)"
    return JSONRPCError(jsonrpc="2.0", id=id_, error=ErrorData(code=code, message=words))
