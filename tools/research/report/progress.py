"""Formats lines of progress from events and interactions. Makes no requests, so a recorded stream can be replayed."""

from __future__ import annotations

import re
from typing import Any

from tools.interactions.resources import Event, Resource

MAX_LINE_CHARS = 200
WRITING = "writing"


def progress_line(event: Event) -> str | None:
    """Formats the line for a thought, a search, a page, the start of writing or an error; None for any other event."""
    match event:
        case {"event_type": "step.delta", "delta": {"type": "thought_summary", "content": content}}:
            return _thought_line(content)
        case {"event_type": "step.delta", "delta": delta}:
            return _call_line(delta)
        case {"event_type": "step.start", "step": {"type": "model_output"}}:
            return WRITING
        case {"event_type": "error", "error": {**error}}:
            return _short(f"the server reported: {error.get('message') or error.get('code') or 'an error'}")
    return None


def progress_lines(resource: Resource) -> list[str]:
    """Formats the lines of progress of an interaction's current steps: the same lines as for its events."""
    lines: list[str | None] = []
    for step in resource.get("steps") or ():
        match step:
            case {"type": "thought", "summary": [*contents]}:
                lines += map(_thought_line, contents)
            case {"type": "model_output"}:
                lines.append(WRITING)
            case _:
                lines.append(_call_line(step))
    return [line for line in lines if line]


def _thought_line(content: Any) -> str | None:
    match content:
        case {"text": str(text)}:
            return _headline(text)
    return None


def _call_line(call: Any) -> str | None:
    """Formats the line of a tool call, given as a step or a delta. The model's arguments may have any form."""
    match call:
        case {"type": "google_search_call", "arguments": {"queries": [_, *_] as queries}}:
            return _short("searching: " + ", ".join(map(str, queries)))
        case {"type": "url_context_call", "arguments": {"urls": [_, *_] as urls}}:
            return _short("reading: " + ", ".join(map(str, urls)))
    return None


def _headline(text: str) -> str | None:
    """Converts `**Planning**\\n\\nI will …` to `Planning: I will …`."""
    text = re.sub(r"^\*\*(.+?)\*\*\s*", r"\1: ", text.strip())
    return _short(" ".join(text.split()).rstrip(": ")) or None


def _short(text: str) -> str:
    return text if len(text) <= MAX_LINE_CHARS else f"{text[: MAX_LINE_CHARS - 1]}…"
