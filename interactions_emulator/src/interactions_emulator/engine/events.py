"""Turns steps into server-sent events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate, islice, pairwise
from typing import Any

from pydantic_core import to_json

from interactions_emulator.brain.protocol import Step

Event = bytes
"""An event as bytes of the stream, up to its id: `frames` adds the id and the end."""

DONE = b"event: done\ndata: [DONE]\n\n"
_TEXT_DELTA = b'event: step.delta\ndata: {"event_type":"step.delta","index":%d,"delta":{"type":"text","text":%b}'
_THOUGHT_DELTA = (
    b'event: step.delta\ndata: {"event_type":"step.delta","index":%d,'
    b'"delta":{"type":"thought_summary","content":{"type":"text","text":%b}}'
)
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
        _event({"event_type": "interaction.created", "interaction": interaction}),
        _event(
            {
                "event_type": "interaction.status_update",
                "interaction_id": interaction["id"],
                "status": interaction["status"],
            }
        ),
    ]


def closing(interaction: dict[str, Any], errors: list[dict[str, str]]) -> list[Event]:
    """Return an `error` event for each error, then `interaction.completed`, whatever the final status."""
    failed = [_event({"event_type": "error", "error": error}) for error in errors]
    return [*failed, _event({"event_type": "interaction.completed", "interaction": interaction})]


def step_events(step: Step, index: int, pieces: Sequence[int] | None = None) -> list[Event]:
    """Return step.start, the deltas and step.stop of the step at `index` of the output.

    `pieces` are the lengths of the pieces of the step's text, in characters; None: pieces of about equal length.
    """
    start, deltas = _start_and_deltas(step, index, pieces)
    return [_step_start(index, start), *deltas, _event({"event_type": "step.stop", "index": index})]


def open_step_events(kind: str, pieces: Sequence[str], index: int, begin: int) -> list[Event]:
    """Return the events from `begin` on (0: step.start) of a step whose text is still being written."""
    events = [] if begin else [_step_start(index, {"type": kind})]
    return events + _text_deltas(kind, islice(pieces, max(0, begin - 1), None), index)


def event_id_prefix(interaction_id: str) -> bytes:
    """Return the prefix of a run's event ids. It differs from run to run, so that foreign event ids are recognized."""
    return f"evt_{interaction_id[-6:]}_".encode()


def frames(events: Iterable[Event], prefix: bytes, number: int) -> list[bytes]:
    """Return events with their ids; `number` is that of the first one, counted from 1 among the events of its run."""
    return [b'%b,"event_id":"%b%06d"}\n\n' % (event, prefix, count) for count, event in enumerate(events, number)]


def timestamp(seconds: float) -> str:
    """Return seconds since 1970 as `2026-11-22T16:40:53Z`."""
    return _timestamp(int(seconds))


@lru_cache(1_000)
def _timestamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _event(fields: dict[str, Any]) -> Event:
    return b"event: %b\ndata: %b" % (fields["event_type"].encode(), _json(fields)[:-1])


def _step_start(index: int, step: Step) -> Event:
    return _event({"event_type": "step.start", "index": index, "step": step})


def _delta(index: int, delta: dict[str, Any]) -> Event:
    return _event({"event_type": "step.delta", "index": index, "delta": delta})


def _text_deltas(kind: str, texts: Iterable[str], index: int) -> list[Event]:
    """Return the deltas of pieces of a text. Most events are such deltas: only their text is encoded each time."""
    form = _THOUGHT_DELTA if kind == "thought" else _TEXT_DELTA
    return [form % (index, _json(text)) for text in texts]


def _json(value: Any) -> bytes:
    data = to_json(value)
    if not data.isascii():
        for character, escaped in _LINE_ENDS:
            data = data.replace(character, escaped)
    return data


def _start_and_deltas(step: Step, index: int, pieces: Sequence[int] | None) -> tuple[Step, list[Event]]:
    """Split a step into the `step` of its step.start event and the deltas that carry the rest."""
    kind = step["type"]
    if pieces is not None:
        content: dict[str, Any]
        [content] = step["summary" if kind == "thought" else "content"]
        ends = list(accumulate(pieces))
        texts = [content["text"][begin:end] for begin, end in pairwise([0, *ends])]
        return {"type": kind}, [*_text_deltas(kind, texts, index), *_annotation_delta(content, index)]
    if kind in ("model_output", "user_input"):
        start = {key: value for key, value in step.items() if key != "content"}
        return start, [delta for content in step.get("content", ()) for delta in _content_deltas(content, index)]
    if kind == "thought":
        deltas = [{"type": "thought_summary", "content": content} for content in step.get("summary", ())]
        if step.get("signature"):
            deltas.append({"type": "thought_signature", "signature": step["signature"]})
        return {"type": kind}, [_delta(index, delta) for delta in deltas]
    if kind == "function_call":
        arguments = to_json(step["arguments"]).decode()
        chunks = _chunks(arguments, 2)
        deltas = [{"type": "arguments_delta", "arguments": chunk} for chunk in chunks]
        return step | {"arguments": {}}, [_delta(index, delta) for delta in deltas]
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
    return start, [_delta(index, delta)]


def _content_deltas(content: dict[str, Any], index: int) -> list[Event]:
    if content["type"] != "text":
        return [_delta(index, {key: value for key, value in content.items() if key in _MEDIA_FIELDS})]
    return [*_text_deltas("model_output", _chunks(content["text"], 3), index), *_annotation_delta(content, index)]


def _annotation_delta(content: dict[str, Any], index: int) -> list[Event]:
    annotations = content.get("annotations")
    return [_delta(index, {"type": "text_annotation_delta", "annotations": annotations})] if annotations else []


def _chunks(text: str, count: int) -> list[str]:
    """Cut a text into about `count` pieces; more if a piece would exceed `MAX_DELTA_CHARS` characters."""
    size = max(1, min(MAX_DELTA_CHARS, -(-len(text) // count)))
    return [text[begin : begin + size] for begin in range(0, len(text), size)]
