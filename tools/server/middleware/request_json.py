"""Parses the JSON of requests for all stores, and limits its values, nesting, names, messages and events."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from tools.research.rows import MAX_TIME_S
from tools.server.error_handlers import RequestRejected
from tools.server.limits import (
    MAX_FILE_LEVELS,
    MAX_FILE_NAME_BYTES,
    MAX_JSON_DEPTH,
    MAX_JSON_VALUES,
    MAX_NAME_CHARS,
    MAX_PARTS,
    MAX_RESTORED_EVENTS,
)
from tools.text.unsafe_characters import sanitize, sanitize_json

_FILE_NAMES = ("filename",)
_NAMES = ("userId", "user_id", "sessionId", "session_id", "appName", "app_name", *_FILE_NAMES)
"""Fields of a body that hold names: an unusable name is refused, while other text is sanitized."""
_TOO_DEEP = RequestRejected(400, f"the body may have at most {MAX_JSON_DEPTH} levels of nesting")


def check_values(body: bytes, maximum: int = MAX_JSON_VALUES) -> None:
    """Counts the values in JSON before anything parses it. Text is not counted, however many commas it has.

    Raises:
        RequestRejected: status 400: there are more than `maximum`.
    """
    if _count_values(body) <= maximum:
        return
    unescaped = body.replace(rb"\\", b"").replace(rb"\"", b"")
    too_many_texts = unescaped.count(b'"') > 4 * maximum  # a value has at most a name and a text
    if too_many_texts or _count_values(b"".join(unescaped.split(b'"')[::2])) > maximum:
        raise RequestRejected(400, f"the body may have at most {maximum:,} values")


def parse_json(body: bytes) -> Any:
    """Parses a client's JSON, and replaces unsafe characters in its text (`tools/text/unsafe_characters.py`).

    Raises:
        RequestRejected: status 400: the body is not JSON, is nested too deeply, or has an unusable name.
    """
    try:
        data = json.loads(body.decode(), parse_float=_finite, parse_constant=_finite)
    except ValueError:
        raise RequestRejected(400, "the body has to be JSON in UTF-8") from None
    except RecursionError:
        raise _TOO_DEEP from None
    if _is_deep(data):
        raise _TOO_DEEP
    if isinstance(data, dict):
        for name in _NAMES:
            check_name(data.get(name), is_file=name in _FILE_NAMES)
    return sanitize_json(data)


def check_name(name: object, is_file: bool = False) -> None:
    """Refuses a name that some store cannot keep. Lets values that are not strings pass, because ADK refuses them.

    Raises:
        RequestRejected: status 400: the name is too long or has unusable characters.
    """
    if not isinstance(name, str):
        return
    if name != sanitize(name) or any(character in name for character in "\t\r\n"):
        raise RequestRejected(400, "a name in the request has control characters or halves of characters")
    if is_file and len(name.encode()) > MAX_FILE_NAME_BYTES:
        raise RequestRejected(400, f"a file's name may have at most {MAX_FILE_NAME_BYTES} bytes")
    if is_file and name.replace("\\", "/").count("/") >= MAX_FILE_LEVELS:
        raise RequestRejected(400, f"a file's name may have at most {MAX_FILE_LEVELS} levels")
    if not is_file and len(name) > MAX_NAME_CHARS:
        raise RequestRejected(400, f"a name may have at most {MAX_NAME_CHARS} characters")


def check_messages(data: Any) -> None:
    """Checks the parts of the messages in a turn, in a request of A2A, and in restored events.

    Raises:
        RequestRejected: status 400: a message has too many parts.
    """
    for message in _messages(data):
        parts = message.get("parts") if isinstance(message, dict) else None
        if isinstance(parts, list) and len(parts) > MAX_PARTS:
            raise RequestRejected(400, f"a message may have at most {MAX_PARTS} parts")


def check_restored(data: Any) -> None:
    """Checks a request that creates a conversation with events.

    Raises:
        RequestRejected: status 400: there are too many events, or too many values beside them, or an event has a time
            that no database can store.
    """
    if not isinstance(data, dict):
        return
    events = data.get("events")
    if isinstance(events, list) and len(events) > MAX_RESTORED_EVENTS:
        raise RequestRejected(
            400, f"a conversation may be created with at most {MAX_RESTORED_EVENTS} events: send the newest ones"
        )
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict) and not _is_time(event.get("timestamp", 0)):
            raise RequestRejected(400, "an event's timestamp is not a time that can be stored, in seconds since 1970")
    check_values(json.dumps({name: value for name, value in data.items() if name != "events"}).encode())


def _is_time(value: Any) -> bool:
    """Whether a database can store a time. ADK refuses values that are not numbers, and accepts texts with numbers."""
    try:
        return 0 <= float(value) <= MAX_TIME_S
    except OverflowError:
        return False
    except (TypeError, ValueError):
        return True


def _finite(number: str) -> float:
    """Parses a float; refuses NaN and infinities (also 1e999), which JSON does not have and databases refuse."""
    if not math.isfinite(value := float(number)):
        raise ValueError(number)
    return value


def _count_values(json_text: bytes) -> int:
    """Returns an upper bound of the number of values: each value but the first follows one of these characters."""
    return sum(map(json_text.count, (b",", b"[", b"{", b":")))


def _is_deep(data: Any) -> bool:
    level = [data]
    for _ in range(MAX_JSON_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def _messages(data: Any) -> Iterator[Any]:
    if not isinstance(data, dict):
        return
    yield from (data.get(name) for name in ("newMessage", "new_message"))
    if isinstance(params := data.get("params"), dict):
        yield params.get("message")
    if isinstance(events := data.get("events"), list):
        yield from (event.get("content") for event in events if isinstance(event, dict))


def parse_request(body: bytes, restores: bool) -> Any:
    """Parses a body, and checks all limits of its contents.

    Raises:
        RequestRejected: status 400: see `parse_json`, `check_messages` and `check_restored`.
    """
    data = parse_json(body)
    check_messages(data)
    if restores:
        check_restored(data)
    return data
