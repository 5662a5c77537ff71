"""Validates interactions and events when they arrive from the API, and returns them as plain data.

In the results of `checked_interaction` and `checked_event`, each known field has the expected type (a text, an object
or a list of objects) or is missing. A field of another form is left out and everything else is kept, because an answer
that was paid for should be read as far as possible.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from tools.interactions.resources import MAX_ID_CHARS, Event, Resource
from tools.text.unsafe_characters import may_be_unsafe, sanitize_json

MAX_MESSAGE_CHARS = 2_000
"""Maximum characters of a server's error text, which is shown, logged and stored."""
_TEXTS = frozenset(
    {"id", "interaction_id", "event_id", "event_type", "previous_interaction_id", "continuation_token", "status"}
    | {"type", "name", "call_id", "text", "title", "url", "uri", "mime_type", "data", "signature", "file_name"}
    | {"document_uri", "created", "updated", "model", "agent", "code", "message"}
)
_OBJECTS = frozenset({"interaction", "step", "delta", "error"})
_FREE_OBJECTS = frozenset({"usage", "arguments"})
"""Objects whose keys the model or the server chooses."""
_LISTS = frozenset({"steps", "errors", "annotations", "summary", "content"})
_IDS = frozenset({"id", "interaction_id", "previous_interaction_id", "event_id"})
_NEEDED = {
    "interaction.created": "interaction",
    "interaction.completed": "interaction",
    "step.start": "step",
    "step.delta": "delta",
}
"""Maps an event type to the object that such an event must have: without the object, the event has no content."""


def parse_object(data: bytes) -> dict[str, Any]:
    """Parses a JSON object and sanitizes its strings. Invalid UTF-8 is replaced; NaN and infinities become null.

    Raises:
        ValueError: the data is not a JSON object.
    """
    found = parse_json(data)
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")
    return found


def parse_json(data: bytes) -> Any:
    """Parses JSON and sanitizes its strings; see `parse_object`.

    Raises:
        ValueError: the data is not JSON, or is nested too deep.
    """
    try:
        text = data.decode("utf-8-sig", "replace")
        found = json.loads(text, strict=False, parse_float=_finite, parse_constant=_finite)
        return sanitize_json(found) if may_be_unsafe(text) else found
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def checked_event(event: dict[str, Any], redact: Callable[[str], str]) -> Event | None:
    """Returns an event without the values whose type is wrong; None if the event has no content.

    Args:
        redact: removes secrets from a server's error text.
    """
    found = _checked(event, redact)
    needed = _NEEDED.get(found.get("event_type", ""))
    return None if needed and needed not in found else found


def checked_interaction(resource: dict[str, Any], redact: Callable[[str], str]) -> Resource:
    """Returns an interaction without the values whose type is wrong.

    Args:
        redact: removes secrets from a server's error text.
    """
    return _checked(resource, redact)


def error_message(value: Any) -> str:
    """Returns the message of an error in one of Google's forms; empty if there is none.

    The forms are `{"error": {"message": …}}`, `{"error": text}`, and a list of these.
    """
    value = _first(value)
    error = value.get("error", value) if isinstance(value, dict) else None
    if isinstance(error, dict):
        error = error.get("message") or error.get("code") or error.get("status")
    return str(error)[:MAX_MESSAGE_CHARS] if isinstance(error, str | int) else ""


def is_error(body: bytes) -> bool:
    """Whether a body is an error of the API: JSON with an `error` that has a message, or a list of these."""
    try:
        value = _first(parse_json(body))
    except ValueError:
        return False
    return isinstance(value, dict) and isinstance(value.get("error"), dict) and bool(error_message(value))


def _first(value: Any) -> Any:
    """The first value of a list; anything else as it is."""
    return value[0] if isinstance(value, list) and value else value


def _checked(value: dict[str, Any], redact: Callable[[str], str], of: str = "") -> dict[str, Any]:
    """Drops the fields that do not have the expected form; `of` is the key of the object in its parent."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        if key in _TEXTS:
            text = _text(inner)
            if text is not None and not (key in _IDS and len(text) > MAX_ID_CHARS):
                is_error = key == "message" and of in ("error", "errors")
                found[key] = redact(text[:MAX_MESSAGE_CHARS]) if is_error else text
        elif key in _OBJECTS or (key == "content" and of == "delta"):
            if (item := _item(key, inner[0] if isinstance(inner, list) and inner else inner)) is not None:
                found[key] = _checked(item, redact, key)
        elif key in _FREE_OBJECTS:
            if isinstance(inner, dict) or (of == "delta" and isinstance(inner, str)):  # in a delta, it is JSON text
                found[key] = inner
        elif key in _LISTS:
            items = (_item(key, item) for item in (inner if isinstance(inner, list) else [inner]))
            found[key] = [_checked(item, redact, key) for item in items if item is not None]
        else:
            found[key] = inner
    return found


def _finite(number: str) -> float | None:
    value = float(number)
    return value if math.isfinite(value) else None


def _text(value: Any) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def _item(key: str, value: Any) -> dict[str, Any] | None:
    """Returns the object under a key; a bare text becomes the object that it abbreviates."""
    text = _text(value)
    if text is not None and key in ("error", "errors"):
        return {"message": text}
    if text is not None and key in ("content", "summary"):
        return {"type": "text", "text": text}
    return value if isinstance(value, dict) else None
