"""The faults with a name; documentation and help are made from this table."""

from __future__ import annotations

from typing import Any, NamedTuple


class NamedFault(NamedTuple):
    """A fault that servers and networks are known for, under a name."""

    meaning: str
    faults: tuple[dict[str, Any], ...]


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
