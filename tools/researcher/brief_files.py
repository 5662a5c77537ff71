"""Converts the files of a message to content that is sent with a brief."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from google.adk.events import Event
from google.genai import types

from tools.adk.attachments import has_private_address, text_of_file
from tools.adk.contents import parts_of
from tools.interactions.media_types import media_type


def newest_files(events: Sequence[Event], message: types.Content | None) -> list[types.Part]:
    """Returns the files of the user's message; if it has none, the files of the newest earlier message with files."""
    said = [event.content for event in events if event.author == "user" and event.content]
    for content in (message, *reversed(said)):
        files = [part for part in parts_of(content) if part.inline_data or part.file_data]
        if files:
            return files
    return []


def inputs_of(parts: Sequence[types.Part]) -> tuple[list[dict[str, Any]], list[str]]:
    """Returns pictures and documents as API content, and what all other files are, which are left out."""
    inputs, left = list[dict[str, Any]](), list[str]()
    for part in parts:
        file = part.inline_data or part.file_data
        kind = _kind(file.mime_type if file else None)
        if part.inline_data and kind:
            text = text_of_file(part)  # the same text that moderation judged
            data = base64.b64encode((part.inline_data.data or b"") if text is None else text.encode()).decode()
            inputs.append({"type": kind, "mime_type": media_type(part.inline_data.mime_type), "data": data})
        elif part.file_data and kind and not has_private_address(part):
            inputs.append(
                {"type": kind, "mime_type": media_type(part.file_data.mime_type), "uri": part.file_data.file_uri}
            )
        elif file:
            what = file.mime_type or "a file of unknown type"
            left.append(f"{what} at an address that is not read" if has_private_address(part) else what)
    return inputs, left


def _kind(mime_type: str | None) -> str | None:
    kind = media_type(mime_type)
    if kind.startswith("image/"):
        return "image"
    return "document" if kind == "application/pdf" or kind.startswith("text/") else None
