"""Limits the parts of messages and the events of restored conversations, in the JSON of a request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tools.server.error_handlers import RequestRejected
from tools.server.limits import MAX_PARTS, MAX_RESTORED_EVENTS
from tools.server.middleware.request_limits import check_values


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
        RequestRejected: status 400: there are too many events, or too many values beside them.
    """
    if not isinstance(data, dict):
        return
    events = data.get("events")
    if isinstance(events, list) and len(events) > MAX_RESTORED_EVENTS:
        raise RequestRejected(
            400, f"a conversation may be created with at most {MAX_RESTORED_EVENTS} events: send the newest ones"
        )
    check_values(json.dumps({name: value for name, value in data.items() if name != "events"}).encode())


def _messages(data: Any) -> Iterator[Any]:
    if not isinstance(data, dict):
        return
    yield from (data.get(name) for name in ("newMessage", "new_message"))
    if isinstance(params := data.get("params"), dict):
        yield params.get("message")
    if isinstance(events := data.get("events"), list):
        yield from (event.get("content") for event in events if isinstance(event, dict))
