"""The fields of faults and the faults with a name: documentation and help are made from this table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

REQUESTS, ANSWERS, STREAMS = "which requests", "what happens to the answer", "what happens to a stream"


class FieldHelp(NamedTuple):
    """The description of a field of a fault."""

    group: str
    meaning: str
    example: dict[str, Any]


class NamedFault(NamedTuple):
    """A fault that servers and networks are known for, under a name."""

    meaning: str
    faults: tuple[dict[str, Any], ...]


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
    "skip": FieldHelp(REQUESTS, "how many requests to let pass before", {"on": "create", "status": 404, "skip": 1}),
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

_HTML = {"content-type": "text/html"}
_PAGE = "<!doctype html><title>502</title><p>The proxy could not reach the server.</p>"
_RUNNING = '{"id": "{id}", "object": "interaction", "status": "in_progress"}'
_ODD_EVENTS = (
    'data: []\n\ndata: {"error": "text"}\n\n'
    'data: {"event_type": "interaction.created", "interaction": {"status": "in_progress"}}\n\n'
)
NAMED = {
    "rate_limited": NamedFault(
        "a create is refused with 429, and may be sent again at once",
        ({"on": "create", "status": 429, "retry_after_ms": 1},),
    ),
    "overloaded": NamedFault("a create is refused with 503", ({"on": "create", "status": 503},)),
    "lost_answer": NamedFault(
        "a create is accepted, and its answer is lost", ({"on": "create", "after_accept": True},)
    ),
    "accepted_then_404": NamedFault(
        "a create is accepted and answered with in_progress, and each get and resume with 404 (python-genai#2985)",
        (
            {"on": "create_stream", "end_after": 2, "times": 0},
            {"on": "get", "status": 404, "times": 0},
            {"on": "resume", "status": 404, "times": 0},
        ),
    ),
    "zombie": NamedFault(
        "a run is accepted and never makes progress (big-AGI#1088)", ({"on": "create", "zombie": True},)
    ),
    "chain_expired": NamedFault(
        "the second create gets 404: its previous interaction has expired",
        ({"on": "create", "status": 404, "skip": 1},),
    ),
    "cancel_404": NamedFault(
        "a cancel is refused with 404 Method not found (python-genai#1971)", ({"on": "cancel", "status": 404},)
    ),
    "create_redirected": NamedFault(
        "a create is answered with 303 to a host that refuses connections",
        ({"on": "create", "status": 303, "headers": {"location": "http://127.0.0.1:1/"}},),
    ),
    "create_moved": NamedFault(
        "a create is answered with 307 to another origin, which must not get the key",
        ({"on": "create", "status": 307, "headers": {"location": "http://127.0.0.1:1/v1beta/interactions"}},),
    ),
    "create_proxy_page": NamedFault(
        "a create is accepted, and a proxy answers it with a page of HTML and 200",
        ({"on": "create", "after_accept": True, "body": _PAGE, "headers": _HTML},),
    ),
    "create_json_for_stream": NamedFault(
        "a create with stream: true is accepted and answered with JSON",
        ({"on": "create_stream", "after_accept": True, "body": _RUNNING},),
    ),
    "create_201": NamedFault(
        "a create is accepted and answered with 201, an empty body and a Location",
        (
            {
                "on": "create",
                "after_accept": True,
                "status": 201,
                "body": "",
                "headers": {"location": "/v1beta/interactions/{id}"},
            },
        ),
    ),
    "create_204": NamedFault(
        "a create is accepted and answered with 204",
        ({"on": "create", "after_accept": True, "status": 204, "body": ""},),
    ),
    "create_empty": NamedFault(
        "a create is accepted and answered with 200, without a body and its type",
        ({"on": "create", "after_accept": True, "body": "", "headers": {"content-type": ""}},),
    ),
    "stream_array": NamedFault(
        "a stream ends with a bare JSON array instead of an event (Google AI forum 143098)",
        ({"on": "stream", "array_after": 4},),
    ),
    "stream_deadline": NamedFault(
        "a stream ends with an error event while the run goes on (python-genai#1871)",
        ({"on": "stream", "error_after": 3},),
    ),
    "stream_cut": NamedFault("a stream is cut", ({"on": "stream", "cut_after": 3},)),
    "stream_ends_early": NamedFault(
        "a stream ends as if complete before its last event", ({"on": "stream", "end_after": 4},)
    ),
    "stream_ping": NamedFault(
        "a stream begins with data that is not JSON", ({"on": "stream", "before": "data: ping\n\n"},)
    ),
    "stream_odd_events": NamedFault(
        "a stream begins with JSON that is not an event, and an interaction without an id",
        ({"on": "stream", "before": _ODD_EVENTS},),
    ),
    "silent_resume": NamedFault(
        "every resumed stream falls silent after two events (Google AI forum 143099)",
        ({"on": "resume", "silence_after": 2, "times": 0},),
    ),
    "no_usage": NamedFault(
        "the end of a stream and the first get have no token counts (big-AGI#1143)",
        ({"on": "stream", "no_usage": True}, {"on": "get", "no_usage": True}),
    ),
    "read_proxy_pages": NamedFault(
        "five gets are answered with a page of HTML and 200",
        ({"on": "get", "body": _PAGE, "headers": _HTML, "times": 5},),
    ),
    "read_retry_tomorrow": NamedFault(
        "a get is answered with 503 and Retry-After: 86400",
        ({"on": "get", "status": 503, "headers": {"retry-after": "86400"}},),
    ),
    "read_retry_never": NamedFault(
        "a get is answered with 503 and retry-after-ms: inf",
        ({"on": "get", "status": 503, "headers": {"retry-after-ms": "inf"}},),
    ),
}
"""Faults by name. A name can be used wherever faults can be given."""


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
