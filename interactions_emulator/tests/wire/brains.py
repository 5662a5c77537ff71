"""A scripted brain that plays each kind of step there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from interactions_emulator.brain.protocol import Step, TimedStep, Turn

REPORT = "# Tides 🌊\n\nThe moon pulls the sea. " + "Größere Fluten kommen bei Neumond. " * 20
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
RESEARCH: list[Step] = [
    {"type": "thought", "summary": [{"type": "text", "text": "**Plan**"}], "signature": "c2ln"},
    {"type": "google_search_call", "id": "gs_1", "arguments": {"queries": ["tides"]}, "search_type": "web_search"},
    {"type": "google_search_result", "call_id": "gs_1", "result": [{"search_suggestions": "<div/>"}]},
    {
        "type": "model_output",
        "content": [
            {
                "type": "text",
                "text": REPORT,
                "annotations": [
                    {
                        "type": "url_citation",
                        "url": "https://example.org/moon",
                        "title": "Moon",
                        "start_index": 14,
                        "end_index": 37,
                    }
                ],
            }
        ],
    },
    {"type": "model_output", "content": [{"type": "image", "mime_type": "image/png", "data": PIXEL}]},
]
EVERY_STEP: list[Step] = [
    *RESEARCH,
    {"type": "url_context_call", "id": "uc", "arguments": {"urls": ["https://example.org"]}},
    {"type": "url_context_result", "call_id": "uc", "result": [{"url": "https://example.org", "status": "success"}]},
    {"type": "code_execution_call", "id": "ce", "arguments": {"language": "python", "code": "print(1)"}},
    {"type": "code_execution_result", "call_id": "ce", "result": "1\n", "is_error": False},
    {"type": "file_search_call", "id": "fs"},
    {"type": "file_search_result", "call_id": "fs"},
    {"type": "google_maps_call", "id": "gm", "arguments": {"queries": ["cafe"]}},
    {"type": "google_maps_result", "call_id": "gm", "result": [{"places": [{"place_id": "p", "name": "Cafe"}]}]},
    {"type": "mcp_server_tool_call", "id": "mc", "server_name": "d", "name": "find", "arguments": {"k": 1}},
    {"type": "mcp_server_tool_result", "call_id": "mc", "server_name": "d", "name": "find", "result": "ok"},
    {"type": "retrieval_call", "id": "rt", "arguments": {"queries": ["q"]}, "retrieval_type": "vertex_ai_search"},
    {"type": "retrieval_result", "call_id": "rt", "is_error": False},
    {"type": "processing_call", "id": "pr"},
    {"type": "processing_result", "call_id": "pr"},
    {"type": "function_call", "id": "fc", "name": "look", "arguments": {"where": "hier 🌊", "deep": {"a": [1, 2]}}},
]
WAIT = 60.0


def brain(turn: Turn) -> Iterator[TimedStep]:
    """Agents: a research, a minute a step. Models: by the newest text, see below; else an echo."""
    text = newest_text(turn)
    if turn.is_agent:
        for step in RESEARCH:
            yield TimedStep(WAIT, step)
    elif text == "every step":
        for step in EVERY_STEP:
            yield TimedStep(0, step)
    elif text == "slowly":
        yield TimedStep(WAIT, said("Slow and steady."))
    elif text == "break":
        yield TimedStep(0, said("so far so good"))
        raise RuntimeError("no idea")
    elif text == "show the turn":
        yield TimedStep(0, said(f"tools={len(turn.tools)} system={turn.system_instruction!r} steps={len(turn.steps)}"))
    elif text.startswith("weather in ") and turn.steps[-1]["type"] == "user_input":
        for number, city in enumerate(text.removeprefix("weather in ").split(" and ")):
            call_id = f"fc_{len(turn.steps)}_{number}"
            yield TimedStep(0, {"type": "function_call", "id": call_id, "name": "weather", "arguments": {"city": city}})
    elif turn.steps[-1]["type"] == "function_result":
        results = [step["result"] for step in turn.steps if step["type"] == "function_result"]
        yield TimedStep(0, said(f"results: {results}"))
    else:
        yield TimedStep(0, said(f"You said: {text}"))


def said(text: str) -> Step:
    """A model_output of one text."""
    return {"type": "model_output", "content": [{"type": "text", "text": text}]}


def newest_text(turn: Turn) -> str:
    """The text of the newest user_input."""
    contents: list[dict[str, Any]] = next(
        (step["content"] for step in reversed(turn.steps) if step["type"] == "user_input"), []
    )
    return "".join(content.get("text", "") for content in contents)
