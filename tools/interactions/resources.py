"""Interactions and their events as plain data: their types, and what they contain."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Resource = Mapping[str, Any]
"""An interaction: {"id", "status", "steps", "usage", ...}."""
Event = Mapping[str, Any]
"""An event of a stream: {"event_type": "step.delta", "event_id": ..., ...}."""

MAX_ID_CHARS = 1_000
"""Maximum characters of an id. A longer id is dropped, because an id becomes part of an address."""


def interaction_id_of(event: Event) -> str:
    """Returns the id of the interaction that an event names; empty if it names none."""
    return str(event.get("interaction", {}).get("id") or event.get("interaction_id") or "")


def as_events(resource: Resource) -> Iterator[Event]:
    """Converts an interaction to the events that a stream of it would have."""
    rest = {name: value for name, value in resource.items() if name != "steps"}
    yield {"event_type": "interaction.created", "interaction": rest}
    for index, step in enumerate(resource.get("steps", ())):
        kind = step.get("type", "")
        is_output, is_call = kind == "model_output", kind == "function_call"
        is_tool = kind.endswith(("_call", "_result")) and not kind.startswith("function_")
        start = {"type": "model_output"} if is_output else {**step, "arguments": {}} if is_call else step
        deltas = step.get("content", []) if is_output else []
        if is_call:
            deltas = [{"type": "arguments_delta", "arguments": json.dumps(step.get("arguments", {}))}]
        elif is_tool:
            deltas = [step]
        yield {"event_type": "step.start", "index": index, "step": start}
        for delta in deltas:
            yield {
                "event_type": "step.delta",
                "index": index,
                "delta": {k: v for k, v in delta.items() if k != "annotations"},
            }
            if annotations := delta.get("annotations"):
                marks = {"type": "text_annotation_delta", "annotations": annotations}
                yield {"event_type": "step.delta", "index": index, "delta": marks}
        yield {"event_type": "step.stop", "index": index}
    for error in resource.get("errors", ()):
        yield {"event_type": "error", "error": error}
    if resource.get("status") not in (None, "queued", "in_progress"):
        yield {"event_type": "interaction.completed", "interaction": rest}


def output_text(resource: Resource) -> str:
    """Returns the text of the model's output in an interaction."""
    contents = (step.get("content") for step in resource.get("steps", ()) if step.get("type") == "model_output")
    return "".join(part.get("text") or "" for content in contents for part in content or () if isinstance(part, dict))
