"""Makes texts of users and tools safe for databases and the API, before any other plugin or the session sees them."""

from __future__ import annotations

from google.adk.agents import InvocationContext
from google.adk.events import Event
from google.adk.plugins import BasePlugin
from google.genai import types
from pydantic import BaseModel

from tools.adk.contents import parts_of
from tools.text.unsafe_characters import sanitize_json

EMPTY_MESSAGE = "(an empty message)"
"""Replaces a message without text or file; otherwise ADK would let the model repeat its last work."""


class SanitizePlugin(BasePlugin):
    """Sanitizes messages and whole events in place. It must be the first plugin.

    Answers of the API are already safe (`tools.interactions.answer_validation`); messages, tool results and errors are
    not.
    """

    def __init__(self) -> None:
        super().__init__(name="sanitize")

    async def on_user_message_callback(
        self, *, invocation_context: InvocationContext, user_message: types.Content
    ) -> types.Content | None:
        """Changes the message in place; returns None, so that other plugins see it too.

        It drops empty texts, because the API would refuse them in every later turn.
        """
        _sanitize_model(user_message)
        kept = [part for part in parts_of(user_message) if not _is_empty(part)]
        user_message.parts = kept or [types.Part(text=EMPTY_MESSAGE)]
        return None

    async def on_event_callback(self, *, invocation_context: InvocationContext, event: Event) -> Event | None:
        """Changes the event in place; returns None, so that other plugins see it too."""
        if event.partial:  # partial events are not stored
            return None
        _sanitize_model(event)
        return None


def _is_empty(part: types.Part) -> bool:
    """Whether a part has only white space as its text."""
    return not (part.text or "").strip() and part.model_dump(exclude_none=True).keys() <= {"text"}


def _sanitize_model(model: BaseModel) -> None:
    """Sanitizes every string in a model, in all fields."""
    for name, value in model:
        if value is None:  # most are, and the next check is slow
            continue
        if isinstance(value, BaseModel):
            _sanitize_model(value)
        elif isinstance(value, list) and all(isinstance(item, BaseModel) for item in value):
            for item in value:
                _sanitize_model(item)
        elif isinstance(value, str | dict | list) and (safe := sanitize_json(value)) != value:
            setattr(model, name, safe)
