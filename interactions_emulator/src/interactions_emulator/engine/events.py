"""Turns steps into server-sent events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate, islice, pairwise
from typing import Any

from pydantic_core import to_json

from interactions_emulator.brain.protocol import Step

Event = dict[str, Any]

DONE = b"event: done\ndata: [DONE]\n\n"
_FRAME_HEADS = {
    kind: f"event: {kind}\ndata: ".encode()
    for kind in (
        "interaction.created",
        "interaction.status_update",
        "interaction.completed",
        "step.start",
        "step.delta",
        "step.stop",
        "error",
    )
}
_LINE_ENDS = [(c.encode(), f"\\u{ord(c):04x}".encode()) for c in "\x85\u2028\u2029"]
"""Characters that JSON does not escape and that some stream parsers take for line ends."""
MAX_DELTA_CHARS = 80
"""Maximum characters of text in one delta."""

_DELTA_FIELDS = {
    "arguments",
    "result",
    "signature",
    "is_error",
    "server_name",
    "name",
    "retrieval_type",
}
_NO_RESULT = {"retrieval_result", "processing_result"}
_NO_ARGUMENTS = {"file_search_call", "processing_call"}
_MEDIA_FIELDS = {"type", "mime_type", "data", "uri", "resolution", "channels", "sample_rate"}


def opening(interaction: dict[str, Any]) -> list[Event]:
    """Return the two events that begin every stream. `interaction` is the resource without steps."""
    return [
        {"event_type": "interaction.created", "interaction": interaction},
        {
            "event_type": "interaction.status_update",
            "interaction_id": interaction["id"],
            "status": interaction["status"],
        },
    ]


def closing(interaction: dict[str, Any], errors: list[dict[str, str]]) -> list[Event]:
    """Return an `error` event for each error, then `interaction.completed`, whatever the final status."""
    failed = [{"event_type": "error", "error": error} for error in errors]
    return [*failed, {"event_type": "interaction.completed", "interaction": interaction}]


def step_events(step: Step, index: int, pieces: Sequence[int] | None = None) -> list[Event]:
    """Return step.start, the deltas and step.stop of the step at `index` of the output.

    `pieces` are the lengths of the pieces of the step's text, in characters; None: pieces of about equal length.
    """
    start, deltas = _start_and_deltas(step, pieces)
    return [
        {"event_type": "step.start", "index": index, "step": start},
        *[{"event_type": "step.delta", "index": index, "delta": delta} for delta in deltas],
        {"event_type": "step.stop", "index": index},
    ]


def open_step_events(kind: str, pieces: Sequence[str], index: int, begin: int) -> list[Event]:
    """Return the events from `begin` on (0: step.start) of a step whose text is still being written."""
    events: list[Event] = [] if begin else [{"event_type": "step.start", "index": index, "step": {"type": kind}}]
    deltas = (_text_delta(kind, piece) for piece in islice(pieces, max(0, begin - 1), None))
    return events + [{"event_type": "step.delta", "index": index, "delta": delta} for delta in deltas]


def event_id_prefix(interaction_id: str) -> bytes:
    """Return the prefix of a run's event ids. It differs from run to run, so that foreign event ids are recognized."""
    return f"evt_{interaction_id[-6:]}_".encode()


def frame(event: Event, prefix: bytes, number: int) -> bytes:
    """Return an event as bytes of the stream; `number` counts the events of its run from 1."""
    data = to_json(event)
    if not data.isascii():
        for character, escaped in _LINE_ENDS:
            data = data.replace(character, escaped)
    return b'%b%b,"event_id":"%b%06d"}\n\n' % (_FRAME_HEADS[event["event_type"]], data[:-1], prefix, number)


def timestamp(seconds: float) -> str:
    """Return seconds since 1970 as `2026-11-22T16:40:53Z`."""
    return _timestamp(int(seconds))


@lru_cache(1_000)
def _timestamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _start_and_deltas(step: Step, pieces: Sequence[int] | None) -> tuple[Step, list[dict[str, Any]]]:
    """Split a step into the `step` of its step.start event and the deltas that carry the rest."""
    kind = step["type"]
    if pieces is not None:
        content: dict[str, Any]
        [content] = step["summary" if kind == "thought" else "content"]
        ends = list(accumulate(pieces))
        texts = [content["text"][begin:end] for begin, end in pairwise([0, *ends])]
        return {"type": kind}, [*[_text_delta(kind, text) for text in texts], *_annotation_delta(content)]
    if kind in ("model_output", "user_input"):
        start = {key: value for key, value in step.items() if key != "content"}
        return start, [delta for content in step.get("content", ()) for delta in _content_deltas(content)]
    if kind == "thought":
        deltas = [{"type": "thought_summary", "content": content} for content in step.get("summary", ())]
        if step.get("signature"):
            deltas.append({"type": "thought_signature", "signature": step["signature"]})
        return {"type": kind}, deltas
    if kind == "function_call":
        arguments = to_json(step["arguments"]).decode()
        chunks = _chunks(arguments, 2)
        return step | {"arguments": {}}, [{"type": "arguments_delta", "arguments": chunk} for chunk in chunks]
    if kind == "function_result":
        return step, []
    start = {key: step[key] for key in ("type", "id", "call_id", "search_type") if key in step}
    if kind.startswith("mcp_server_tool_"):
        start |= {key: step[key] for key in ("server_name", "name") if key in step}
    if kind.endswith("_call") and kind not in _NO_ARGUMENTS:
        start["arguments"] = {}
    if kind.endswith("_result") and "result" in step and kind not in _NO_RESULT:
        start["result"] = "" if isinstance(step["result"], str) else type(step["result"])()
    delta = {"type": kind} | {key: value for key, value in step.items() if key in _DELTA_FIELDS}
    if kind == "file_search_result":
        delta.setdefault("result", [])
    return start, [delta]


def _content_deltas(content: dict[str, Any]) -> list[dict[str, Any]]:
    if content["type"] != "text":
        return [{key: value for key, value in content.items() if key in _MEDIA_FIELDS}]
    texts = [{"type": "text", "text": piece} for piece in _chunks(content["text"], 3)]
    return [*texts, *_annotation_delta(content)]


def _text_delta(kind: str, text: str) -> dict[str, Any]:
    content = {"type": "text", "text": text}
    return {"type": "thought_summary", "content": content} if kind == "thought" else content


def _annotation_delta(content: dict[str, Any]) -> list[dict[str, Any]]:
    annotations = content.get("annotations")
    return [{"type": "text_annotation_delta", "annotations": annotations}] if annotations else []


def _chunks(text: str, count: int) -> list[str]:
    """Cut a text into about `count` pieces; more if a piece would exceed `MAX_DELTA_CHARS` characters."""
    size = max(1, min(MAX_DELTA_CHARS, -(-len(text) // count)))
    return [text[begin : begin + size] for begin in range(0, len(text), size)]
