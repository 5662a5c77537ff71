"""Converts the events of an answer to the SDK's models, which ADK's converters require."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from typing import Any

from google.genai.interactions import InteractionSSEEvent
from pydantic import TypeAdapter, ValidationError

from tools.interactions.resources import Event
from tools.interactions.transport import Transport

log = logging.getLogger(__name__)

_events = TypeAdapter[Any](InteractionSSEEvent)


async def sdk_events(
    transport: Transport, body: Mapping[str, Any], headers: Mapping[str, str], *, watched: bool
) -> AsyncGenerator[Any, None]:
    """Sends a create request and yields its events, including those of interactions that continue a long answer.

    Args:
        watched: whether a user sees the text while it arrives. If not, the request asks for the whole answer, which
            takes less time; `transport.create` converts it to the events of a stream.

    Raises:
        WireError: the request failed, or its stream broke.
    """
    body, before = {**body, "stream": watched}, None
    while True:
        last: Event = {}
        async with aclosing(await transport.create(body, headers)) as came:
            async for batch in came:
                for event in join_pieces(batch):
                    last = event
                    if (model := _model(event)) is not None:
                        yield model
        interaction = last.get("interaction", {})
        token = interaction.get("continuation_token")
        if interaction.get("status") != "requires_continuation" or not token or token == before:
            return
        before = token
        body |= {"continuation_token": token}
        if body.get("store") is not False:
            body |= {"previous_interaction_id": interaction.get("id"), "input": None}


def join_pieces(events: Iterable[Event]) -> list[Event]:
    """Joins adjacent pieces of a text, because ADK takes as much time for a piece as for a whole text."""
    found: list[Event] = []
    for event in events:
        if found and (of := _text_of(event)) and of == _text_of(found[-1]):
            text = found[-1]["delta"]["text"] + event["delta"]["text"]
            found[-1] = {**event, "delta": {**event["delta"], "text": text}}
        else:
            found.append(event)
    return found


def _text_of(event: Event) -> tuple[Any, ...] | None:
    """Identifies the text to which an event adds a piece; None if the event adds no piece of a text."""
    delta = event.get("delta") if event.get("event_type") == "step.delta" else None
    if isinstance(delta, dict) and set(delta) == {"type", "text"} and isinstance(delta["text"], str):
        return event.get("index"), delta["type"]
    return None


def _model(event: Event) -> Any:
    """Converts an event to the SDK's model; None if the SDK does not know it."""
    try:
        return _events.validate_python(event)
    except ValidationError as error:
        log.warning("an event of type %r was left out: %d errors", event.get("event_type"), error.error_count())
        return None
