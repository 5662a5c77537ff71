"""Saves a model's pictures, sounds and files as artifacts instead of in the session. `adk web` shows artifacts."""

from __future__ import annotations

import mimetypes
import re
from collections import defaultdict

from google.adk.agents import InvocationContext
from google.adk.events import Event, EventActions
from google.adk.plugins import BasePlugin
from google.genai import types

from tools.adk.contents import lines_of, parts_of

MAX_NAME_CHARS = 40
"""A file name has at most this many characters from the user's message."""


class ArtifactPlugin(BasePlugin):
    """Saves each file that a model makes as an artifact, and adds the file names to the last event of the turn.

    `tools.adk.model` returns each file in its own response, because `adk web` 2.13 shows at most one file per event,
    and shows no file if the event has text.
    """

    def __init__(self) -> None:
        super().__init__(name="artifacts")
        self._saved: defaultdict[str, list[str]] = defaultdict(list)

    async def on_event_callback(self, *, invocation_context: InvocationContext, event: Event) -> Event | None:
        """Replaces the files of an event with artifacts, or adds the file names to the final event."""
        parts = parts_of(event.content)
        if event.partial or event.author == "user" or invocation_context.artifact_service is None:
            return None
        saved = self._saved[invocation_context.invocation_id]
        if any(part.inline_data or part.file_data for part in parts):
            versions = dict([await _save(invocation_context, part, len(saved) + i) for i, part in enumerate(parts)])
            saved += versions
            delta = {name: version for name, version in versions.items() if version is not None}
            # A new actions object: in ADK 2.13 all events of one answer share the same object.
            return event.model_copy(update={"content": None, "actions": EventActions(artifact_delta=delta)})
        if not saved or not event.is_final_response():
            return None
        line = types.Part(text=f"Saved as artifacts: {', '.join(f'`{name}`' for name in saved)}")
        text = [types.Part(text=f"{part.text}\n\n") if part.text else part for part in parts]
        return event.model_copy(update={"content": types.Content(role="model", parts=[*text, line])})

    async def after_run_callback(self, *, invocation_context: InvocationContext) -> None:
        """Drops the state of the turn."""
        self._saved.pop(invocation_context.invocation_id, None)


async def _save(context: InvocationContext, part: types.Part, number: int) -> tuple[str, int | None]:
    """Saves a file; returns its name and version. For a file stored elsewhere, returns its address and None."""
    assert context.artifact_service
    if part.inline_data is None:
        return (part.file_data and part.file_data.file_uri) or "", None
    ending = mimetypes.guess_extension(part.inline_data.mime_type or "") or ""
    name = f"{_topic(context.user_content)}{f'-{number + 1}' if number else ''}{ending}"
    session = context.session
    return name, await context.artifact_service.save_artifact(
        app_name=context.app_name, user_id=session.user_id, session_id=session.id, filename=name, artifact=part
    )


def _topic(content: types.Content | None) -> str:
    """Makes a file name from the user's message: "draw a fox in the snow" gives `draw-a-fox-in-the-snow`."""
    words = re.sub(r"\W+", "-", lines_of(content).casefold()).strip("-")
    return words[:MAX_NAME_CHARS].strip("-") or "picture"
