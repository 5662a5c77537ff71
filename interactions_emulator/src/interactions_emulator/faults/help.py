"""The description of the fields of faults: documentation and help are made from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from interactions_emulator.faults.named import NAMED

REQUESTS, ANSWERS, STREAMS = "which requests", "what happens to the answer", "what happens to a stream"


class FieldHelp(NamedTuple):
    """The description of a field of a fault."""

    group: str
    meaning: str
    example: dict[str, Any]


FIELDS = {
    "on": FieldHelp(
        REQUESTS,
        "create, create_stream (a create with stream: true), get, resume (a get as a stream), stream (create_stream "
        "and resume), cancel, delete, generate, generate_stream, count_tokens, models, files, file_search_stores, "
        "webhooks, agents, triggers or environments",
        {"on": "cancel", "status": 404},
    ),
    "times": FieldHelp(
        REQUESTS, "how many requests to hit; default 1; 0: all", {"on": "get", "drop": True, "times": 3}
    ),
    "skip": FieldHelp(
        REQUESTS, "how many requests pass before the first hit", {"on": "create", "status": 404, "skip": 1}
    ),
    "name": FieldHelp(
        REQUESTS,
        "a name for messages; of faults with the same name one has to hit",
        {"on": "get", "drop": True, "name": "flaky"},
    ),
    "status": FieldHelp(
        ANSWERS, "answer with this status and an error; the request is not carried out", {"on": "create", "status": 503}
    ),
    "retry_after_ms": FieldHelp(
        ANSWERS,
        "with status: the header retry-after-ms, and Retry-After from one second on",
        {"on": "create", "status": 429, "retry_after_ms": 1},
    ),
    "body": FieldHelp(
        ANSWERS,
        "answer with this text, and status 200 if there is none; {id} in it is the id of the interaction",
        {"on": "get", "body": "<html>", "headers": {"content-type": "text/html"}},
    ),
    "headers": FieldHelp(
        ANSWERS,
        "headers of the answer with status or body; {id} in them is the id of the interaction",
        {"on": "create", "status": 303, "headers": {"location": "http://127.0.0.1:1/"}},
    ),
    "drop": FieldHelp(ANSWERS, "close the connection; the request is not carried out", {"on": "get", "drop": True}),
    "hang": FieldHelp(ANSWERS, "stay silent; the request is not carried out", {"on": "create", "hang": True}),
    "crash": FieldHelp(ANSWERS, "kill the server; the request is not carried out", {"on": "create", "crash": True}),
    "after_accept": FieldHelp(
        ANSWERS,
        "carry out the request, then lose its answer to status, body, hang or crash; else close the connection",
        {"on": "create", "after_accept": True},
    ),
    "delay_ms": FieldHelp(ANSWERS, "begin the answer this much later (real time)", {"on": "get", "delay_ms": 500}),
    "zombie": FieldHelp(ANSWERS, "accept the run, but make no progress", {"on": "create", "zombie": True}),
    "no_usage": FieldHelp(
        STREAMS, "omit the token counts from the end of a stream, or from a get", {"on": "stream", "no_usage": True}
    ),
    "before": FieldHelp(
        STREAMS, "send this text before the first event", {"on": "create_stream", "before": "data: ping\n\n"}
    ),
    "event_delay_ms": FieldHelp(
        STREAMS, "delay each event by this much (real time)", {"on": "stream", "event_delay_ms": 50}
    ),
    "cut_after": FieldHelp(STREAMS, "after this many events close the connection", {"on": "stream", "cut_after": 4}),
    "cut_inside": FieldHelp(
        STREAMS,
        "after this many events close the connection in the middle of the next",
        {"on": "stream", "cut_inside": 4},
    ),
    "end_after": FieldHelp(
        STREAMS, "after this many events end the stream as if complete", {"on": "stream", "end_after": 4}
    ),
    "silence_after": FieldHelp(
        STREAMS, "after this many events send nothing more", {"on": "resume", "silence_after": 0}
    ),
    "crash_after": FieldHelp(STREAMS, "after this many events kill the server", {"on": "stream", "crash_after": 4}),
    "garbage_after": FieldHelp(
        STREAMS,
        "after this many events send a line that is not an event, then continue",
        {"on": "stream", "garbage_after": 2},
    ),
    "unknown_after": FieldHelp(
        STREAMS, "after this many events send an unknown event, then continue", {"on": "stream", "unknown_after": 2}
    ),
    "repeat_after": FieldHelp(
        STREAMS, "after this many events send the next one twice", {"on": "stream", "repeat_after": 2}
    ),
    "swap_after": FieldHelp(STREAMS, "after this many events swap the next two", {"on": "stream", "swap_after": 2}),
    "array_after": FieldHelp(
        STREAMS,
        "after this many events end with the bare JSON array that the real service sends when it cuts a stream",
        {"on": "stream", "array_after": 4},
    ),
    "error_after": FieldHelp(
        STREAMS,
        "after this many events end with an error event without an id, as the real service does",
        {"on": "stream", "error_after": 4},
    ),
}
"""The fields of `Fault`."""


def help_lines() -> Iterator[str]:
    """Yield the lines of `interactions-emulator faults`."""
    yield "A fault is a JSON object of fields, or a name that stands for one or more of them:"
    yield '  interactions-emulator --fault accepted_then_404        Emulator(faults=["accepted_then_404"])'
    yield '  curl localhost:8900/_emulator/faults -d \'{"on": "stream", "cut_after": 4}\''
    for group in (REQUESTS, ANSWERS, STREAMS):
        yield f"\nFields: {group}"
        for name, field in FIELDS.items():
            if field.group == group:
                yield f"  {name:<16} {field.meaning}"
                yield f"  {'':<16} {json.dumps(field.example)}"
    yield "\nNames"
    for name, named in NAMED.items():
        yield f"  {name:<24} {named.meaning}"
        yield from (f"  {'':<24} {json.dumps(fault)}" for fault in named.faults)
