"""Makes what users and tools say safe for every database, before any other plugin or the session sees it."""

from __future__ import annotations

from google.adk.agents import InvocationContext
from google.adk.events import Event
from google.adk.plugins import BasePlugin
from google.genai import types

from tools.sanitize import sanitize, sanitize_json


class SanitizePlugin(BasePlugin):
    """Sanitizes messages and whole events in place. Belongs before all other plugins.

    Answers of the API are safe already (`tools.resources`); this is for messages, for results of tools and for errors.
    """

    def __init__(self) -> None:
        super().__init__(name="sanitize")

    async def on_user_message_callback(
        self, *, invocation_context: InvocationContext, user_message: types.Content
    ) -> types.Content | None:
        """Changes the message; returns none, so that other plugins see it too."""
        _sanitize_content(user_message)
        return None

    async def on_event_callback(self, *, invocation_context: InvocationContext, event: Event) -> Event | None:
        """Changes the event; returns none, so that other plugins see it too."""
        if event.partial:  # is kept nowhere
            return None
        _sanitize_content(event.content)
        event.error_message = event.error_message and sanitize(event.error_message)
        event.actions.state_delta = sanitize_json(event.actions.state_delta)
        return None


def _sanitize_content(content: types.Content | None) -> None:
    for part in (content.parts if content else None) or ():
        part.text = part.text and sanitize(part.text)
        if part.function_response:
            part.function_response.response = sanitize_json(part.function_response.response)
        if part.function_call:
            part.function_call.args = sanitize_json(part.function_call.args)
