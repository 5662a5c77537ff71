"""A research as lines that a person can watch. Pure, so that a recorded stream can be replayed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tools.research.client import Resource
from tools.wire import Event

LONGEST_LINE = 200
WRITING = "writing the report"


def progress_line(event: Event) -> str | None:
    """What an event says of the progress: a thought's headline, the queries of a search, the start of the writing."""
    kind = event.get("event_type")
    if kind == "step.delta":
        delta = event.get("delta") or {}
        return _thought_line(delta.get("content")) if delta.get("type") == "thought_summary" else _call_line(delta)
    if kind == "step.start" and (event.get("step") or {}).get("type") == "model_output":
        return WRITING
    if kind == "error":
        error = event.get("error") or {}
        return f"the server reported: {error.get('message') or error.get('code') or 'an error'}"
    return None


def progress_lines(resource: Resource) -> list[str]:
    """The lines that the events of an interaction would have given, from its steps as they stand."""
    lines: list[str | None] = []
    for step in resource.get("steps") or ():
        match step.get("type"):
            case "thought":
                lines += map(_thought_line, step.get("summary") or ())
            case "model_output":
                lines.append(WRITING)
            case _:
                lines.append(_call_line(step))
    return [line for line in lines if line]


def _thought_line(content: Mapping[str, Any] | None) -> str | None:
    return _headline((content or {}).get("text") or "")


def _call_line(call: Mapping[str, Any]) -> str | None:
    """A call as a whole step, or as the delta that carries its arguments."""
    arguments = call.get("arguments") or {}
    match call.get("type"):
        case "google_search_call":
            queries = arguments.get("queries") or []
            return _short("searching: " + ", ".join(map(str, queries))) if queries else None
        case "url_context_call":
            urls = arguments.get("urls") or []
            return _short("reading: " + ", ".join(map(str, urls))) if urls else None
    return None


def _headline(text: str) -> str | None:
    """`**Planning**\\n\\nI will …` becomes `Planning: I will …`."""
    text = re.sub(r"^\s*\*\*(.+?)\*\*\s*", r"\1: ", text.strip())
    return _short(" ".join(text.split()).rstrip(": ")) or None


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 1]}…"
