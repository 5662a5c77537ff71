"""Pictures, sounds and files that a model makes: artifacts, which `adk web` shows; a session does not carry them."""

from __future__ import annotations

import mimetypes
import re
from collections import defaultdict

from google.adk.agents.callback_context import CallbackContext
from google.adk.models import LlmResponse
from google.adk.plugins import BasePlugin
from google.genai import types

LONGEST_NAME = 40


class PictureKeeper(BasePlugin):
    """Saves each file that a model makes as an artifact, and ends the turn with their names.

    `tools.models` gives each in a response of its own: `adk web` 2.13 draws one file an event, and none beside a text.
    """

    def __init__(self) -> None:
        super().__init__(name="picture_keeper")
        self._saved: defaultdict[str, list[str]] = defaultdict(list)

    async def after_model_callback(
        self, *, callback_context: CallbackContext, llm_response: LlmResponse
    ) -> LlmResponse | None:
        """The response without its file, or the last one with a line about the files."""
        if llm_response.partial:
            return None
        parts = (llm_response.content.parts if llm_response.content else None) or []
        saved = self._saved[callback_context.invocation_id]
        if any(part.inline_data or part.file_data for part in parts):
            for part in parts:
                saved.append(await _save(callback_context, part, len(saved)))
            return llm_response.model_copy(update={"content": None})
        names = self._saved.pop(callback_context.invocation_id)
        if not names or any(part.function_call for part in parts):
            return None
        line = types.Part(text=f"Saved: {', '.join(f'`{name}`' for name in names)}")
        text = [types.Part(text=f"{part.text}\n\n") if part.text else part for part in parts]
        return llm_response.model_copy(update={"content": types.Content(role="model", parts=[*text, line])})

    async def after_run_callback(self, *, invocation_context: object) -> None:
        """Forgets a turn that ended early."""
        self._saved.pop(getattr(invocation_context, "invocation_id", ""), None)


async def _save(context: CallbackContext, part: types.Part, number: int) -> str:
    """Saves a file and returns its name, or its address if it lies elsewhere."""
    if part.inline_data is None:
        return (part.file_data and part.file_data.file_uri) or ""
    ending = mimetypes.guess_extension(part.inline_data.mime_type or "") or ""
    name = f"{_topic(context.user_content)}{f'-{number + 1}' if number else ''}{ending}"
    await context.save_artifact(name, part)
    return name


def _topic(content: types.Content | None) -> str:
    """A name for what was asked for: "draw a fox in the snow" is `draw-a-fox-in-the-snow`."""
    text = "".join(part.text or "" for part in (content.parts if content else None) or ())
    words = re.sub(r"\W+", "-", text.casefold()).strip("-")
    return words[:LONGEST_NAME].strip("-") or "picture"
