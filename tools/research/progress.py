"""Events of a research as lines that a person can watch. Pure, so that a recorded stream can be replayed."""

from __future__ import annotations

import re
from typing import Any

from tools.research.client import Event

LONGEST_LINE = 200


def progress_line(event: Event) -> str | None:
    """What an event says of the progress: a thought's headline, the queries of a search, the start of the writing."""
    kind = event.get("event_type")
    if kind == "step.delta":
        return _delta_line(event.get("delta") or {})
    if kind == "step.start" and (event.get("step") or {}).get("type") == "model_output":
        return "writing the report"
    if kind == "error":
        error = event.get("error") or {}
        return f"the server reported: {error.get('message') or error.get('code') or 'an error'}"
    return None


def _delta_line(delta: dict[str, Any]) -> str | None:
    arguments = delta.get("arguments") or {}
    match delta.get("type"):
        case "thought_summary":
            return _headline((delta.get("content") or {}).get("text") or "")
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
