"""Scripted brains and answers for tests."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from interactions_emulator.brain.protocol import TimedStep, Turn
from interactions_emulator.brain.rules.answer import Ids
from interactions_emulator.brain.rules.desk import decide
from interactions_emulator.brain.rules.managing import manage
from interactions_emulator.brain.rules.parsed_turn import parse_turn
from interactions_emulator.brain.rules.tool_calls import allowed_tools

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
REPORT = "# Tides\n\nThe moon moves the sea. Größere Fluten kommen bei Neumond. 🌊 Twice a day.\n"


def research_brain(turn: Turn) -> Iterator[TimedStep]:
    """A research of four steps: 20 virtual minutes, a report with two sources and a picture."""
    yield TimedStep(60, thought("**Planning**\n\nWhat moves the sea?"))
    yield TimedStep(240, search("tides moon"))
    yield TimedStep(600, thought("**Writing**\n\nTwo sources agree."))
    yield TimedStep(300, {"type": "model_output", "content": [cited(REPORT, "Größere Fluten kommen bei Neumond.")]})
    yield TimedStep(0, {"type": "model_output", "content": [picture()]})


def thought(text: str) -> dict[str, Any]:
    """A thought with a summary."""
    return {"type": "thought", "signature": "c2ln", "summary": [{"type": "text", "text": text}]}


def search(query: str) -> dict[str, Any]:
    """A search call."""
    return {"type": "google_search_call", "id": "gs_1", "arguments": {"queries": [query]}}


def cited(text: str, sentence: str) -> dict[str, Any]:
    """A text whose `sentence` and whose end are cited, in bytes as the wire wants it."""
    start = len(text[: text.index(sentence)].encode())
    end = start + len(sentence.encode())
    first = {"url": "https://example.org/moon", "title": "The moon", "start_index": start, "end_index": end}
    last = {
        "url": "https://example.org/sea",
        "title": "The sea",
        "start_index": end,
        "end_index": len(text.encode()) - 1,
    }
    return {
        "type": "text",
        "text": text,
        "annotations": [{"type": "url_citation", **a} for a in (first, last)],
    }


def said(text: str) -> dict[str, Any]:
    """An answer."""
    return {"type": "model_output", "content": [{"type": "text", "text": text}]}


def picture() -> dict[str, Any]:
    """A picture of one pixel."""
    return {"type": "image", "mime_type": "image/png", "data": base64.b64encode(PIXEL).decode()}


def managing(turn: Turn) -> Iterator[TimedStep]:
    """The built-in researcher, which understands common words."""
    yield TimedStep(0, manage(turn, parse_turn(turn), Ids(turn)))


def forgetting(turn: Turn) -> dict[str, Any] | None:
    """The built-in root's answer to a message about forgetting the conversation, or None."""
    allowed = allowed_tools(turn)
    return decide(parse_turn(turn), allowed.functions, (), Ids(turn))


def call(name: str, call_id: str, **arguments: Any) -> dict[str, Any]:
    """A function call."""
    return {"type": "function_call", "id": call_id, "name": name, "arguments": arguments}
