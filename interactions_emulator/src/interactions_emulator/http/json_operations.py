"""Makes operations from functions that return JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interactions_emulator.http.call import Call
from interactions_emulator.http.responses import Json
from interactions_emulator.http.router import Action, Operation
from interactions_emulator.requests.fields import parse_object


def reading(function: Callable[[Call], Any]) -> Operation:
    """Return an operation that answers with what `function` returns; the body of the request is ignored."""

    def operation(call: Call) -> Action:
        return lambda fault: Json(function(call))

    return operation


def taking_body(function: Callable[[Call, dict[str, Any]], Any], max_bytes: int) -> Operation:
    """Return an operation that gives `function` the request's JSON object, {} if it is empty, and sends the result."""

    def operation(call: Call) -> Action:
        body = parse_object(call.body(max_bytes) or b"{}")
        return lambda fault: Json(function(call, body))

    return operation
