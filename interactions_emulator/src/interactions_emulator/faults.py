"""Faults on demand: makes the server fail in the ways that real servers and networks fail.

A fault is a JSON object: `{"on": "stream", "cut_after": 4}`. There are three ways to set faults:
    when the server starts
    at any time: `POST /_emulator/faults` adds a fault or a list of faults; `DELETE` removes all faults
    for one request, in its header `x-emulator-fault`, where `on`, `times` and `skip` are optional and ignored

Which requests
    on      create         every POST of an interaction
            create_stream  POST with "stream": true
            get            GET answered with JSON
            resume         GET answered with a stream
            stream         create_stream or resume
            cancel, delete
            generate         generateContent and streamGenerateContent
            generate_stream  streamGenerateContent
            count_tokens, models, files, file_search_stores, webhooks, agents, triggers, environments
                             every request for these
    skip    number of matching requests that pass first (default 0)
    times   number of requests that are hit (default 1; 0 means all)
Only the first fault that matches and is not used up hits the request.

What happens to the answer
    status           this HTTP status, with an error body; the operation is not done
    retry_after_ms   with `status`: header retry-after-ms (and Retry-After from one second on)
    crash            the server ends as if killed; its state file is kept and used by the next start
    drop             the connection is closed without a byte; the operation is not done
    hang             nothing is sent and the connection stays open; the operation is not done
    delay_ms         the answer begins this many milliseconds (of real time) after the operation is done
    after_accept     the operation is done first, then its answer is lost to `status`, `hang` or `crash`; without
                     one of these, the connection is closed
    zombie           (on = create, create_stream, generate or generate_stream) the request is accepted and answered,
                     but its run never makes progress

What happens to a stream (on = create_stream, resume, stream or generate_stream); k counts its events, without `done`
    cut_after k      the connection is closed in the middle of the response after k events
    crash_after k    the server ends as if killed after k events
    cut_inside k     the connection is closed in the middle of event k + 1
    end_after k      the response ends as if complete after k events
    silence_after k  after k events nothing more is sent; the connection stays open
    garbage_after k  after k events a line that is not an event is sent; then the stream continues
    unknown_after k  after k events an event of an unknown type is sent; then the stream continues
    repeat_after k   event k + 1 is sent twice
    swap_after k     events k + 1 and k + 2 are sent in the wrong order
    array_after k    after k events a bare JSON array is sent, as the real service does when it cuts a stream;
                     then the response ends as if complete
    error_after k    after k events an `error` event without an event_id is sent; then the response ends as if
                     complete
    event_delay_ms   each event is sent this many milliseconds (of real time) later
    no_usage         the event interaction.completed has no usage, but the resource has it; with on = get, the
                     answer to the `get` has no usage

Only `zombie` changes the run itself. With any other fault the run continues, and a GET shows its state. Examples:
`{"on": "resume", "silence_after": 0}` lets a re-attached stream hang, `{"on": "cancel", "status": 404}` refuses a
cancel.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from interactions_emulator.http.errors import Refused

STREAM_KINDS = ("create_stream", "resume", "stream", "generate_stream")
REQUEST_KINDS = (
    *("create", "get", "cancel", "delete", *STREAM_KINDS, "generate", "count_tokens", "models"),
    *("files", "file_search_stores", "webhooks", "agents", "triggers", "environments"),
)
MATCHING_KINDS = {
    "create_stream": {"create", "create_stream", "stream"},
    "resume": {"resume", "stream"},
    "generate_stream": {"generate", "generate_stream"},
}
"""Values of `on` that match a kind of request. A kind that is not listed here matches only its own name."""
ZOMBIE_KINDS = ("create", "create_stream", "generate", "generate_stream")
STREAM_EFFECTS = (
    "cut_after",
    "crash_after",
    "cut_inside",
    "end_after",
    "silence_after",
    "garbage_after",
    "unknown_after",
    "repeat_after",
    "swap_after",
    "array_after",
    "error_after",
)


@dataclass(frozen=True)
class Fault:
    """One fault; the module docstring explains the fields."""

    on: str
    times: int = 1
    skip: int = 0
    status: int | None = None
    retry_after_ms: int | None = None
    delay_ms: int = 0
    after_accept: bool = False
    drop: bool = False
    hang: bool = False
    crash: bool = False
    zombie: bool = False
    event_delay_ms: int = 0
    cut_after: int | None = None
    crash_after: int | None = None
    cut_inside: int | None = None
    end_after: int | None = None
    silence_after: int | None = None
    garbage_after: int | None = None
    unknown_after: int | None = None
    repeat_after: int | None = None
    swap_after: int | None = None
    array_after: int | None = None
    error_after: int | None = None
    no_usage: bool = False

    @property
    def refuses(self) -> bool:
        """Whether an error, a closed connection or silence takes the place of the answer."""
        return self.status is not None or self.drop or self.hang or self.crash or self.after_accept

    @property
    def crashes(self) -> bool:
        """Whether the fault kills the server."""
        return self.crash or self.crash_after is not None

    @property
    def affects_stream(self) -> bool:
        """Whether the fault changes the events of a stream or delays them."""
        return (
            self.no_usage or self.event_delay_ms > 0 or any(getattr(self, name) is not None for name in STREAM_EFFECTS)
        )


class Faults:
    """The active faults, with the number of requests that each has matched."""

    def __init__(self, faults: list[Fault]) -> None:
        self._matches: list[int] = [0] * len(faults)
        self._faults = list(faults)

    def add(self, faults: list[Fault]) -> None:
        self._faults += faults
        self._matches += [0] * len(faults)

    def clear(self) -> None:
        self._faults, self._matches = [], []

    def hit(self, kind: str) -> Fault | None:
        """Return the fault that hits a request of this kind, if any, and count the match."""
        if not self._faults:
            return None
        kinds = MATCHING_KINDS.get(kind, {kind})
        for index, fault in enumerate(self._faults):
            if fault.on not in kinds:
                continue
            used_up = fault.times and self._matches[index] >= fault.skip + fault.times
            if used_up:
                continue
            self._matches[index] += 1
            if self._matches[index] > fault.skip:
                return fault
        return None

    def unused(self) -> list[Fault]:
        """Return the faults that have hit no request."""
        return [fault for fault, matched in zip(self._faults, self._matches, strict=True) if matched <= fault.skip]

    def show(self) -> list[dict[str, Any]]:
        """Return the faults as JSON, each with `matched`: how many requests matched it, skipped ones included."""
        return [
            {**to_json(fault), "matched": matched} for fault, matched in zip(self._faults, self._matches, strict=True)
        ]


def parse_faults(value: Any) -> list[Fault]:
    """Parse a fault or a list of faults. Raises `Refused` (400) with the reason."""
    return [parse_fault(item) for item in (value if isinstance(value, list) else [value])]


def parse_header(text: str, on: str) -> Fault:
    """Parse the header `x-emulator-fault` of a request of the kind `on`. Raises `Refused` (400)."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Refused(400, f"x-emulator-fault is not JSON: {error}") from error
    return parse_fault({**value, "on": on} if isinstance(value, dict) else value)


def parse_fault(value: Any) -> Fault:
    """Parse one fault. Raises `Refused` (400) with the reason."""
    if isinstance(value, Fault):
        return value
    if not isinstance(value, dict):
        raise Refused(400, f"a fault is an object, not {value!r}")
    flags = {field.name for field in fields(Fault) if field.type == "bool"}
    numbers = {field.name for field in fields(Fault)} - flags - {"on"}
    for key, given in value.items():
        if key in flags and not isinstance(given, bool):
            raise Refused(400, f"fault: {key} is true or false, not {given!r}")
        if key in numbers and (type(given) is not int or given < 0):
            raise Refused(400, f"fault: {key} is a number (0 or more), not {given!r}")
        if key not in flags | numbers | {"on"}:
            known = ", ".join(["on", *sorted(flags | numbers)])
            raise Refused(400, f"fault: field {key!r} is unknown; known are {known}")
    if value.get("on") not in REQUEST_KINDS:
        raise Refused(400, f"fault: on is one of {', '.join(REQUEST_KINDS)}, not {value.get('on')!r}")
    fault = Fault(**value)
    if not (fault.refuses or fault.affects_stream or fault.delay_ms or fault.zombie):
        raise Refused(
            400,
            f"fault: {value} has no effect: give a status, drop, hang, crash, delay_ms, after_accept, zombie,"
            " or an effect on streams",
        )
    if fault.affects_stream and (fault.on, fault.no_usage) != ("get", True) and fault.on not in STREAM_KINDS:
        raise Refused(400, f"fault: effects on a stream need on = {', '.join(STREAM_KINDS)}")
    if fault.zombie and fault.on not in ZOMBIE_KINDS:
        raise Refused(400, f"fault: zombie needs on = {', '.join(ZOMBIE_KINDS)}")
    return fault


def to_json(fault: Fault) -> dict[str, Any]:
    """Return a fault as the JSON object it was parsed from."""
    values = {field.name: getattr(fault, field.name) for field in fields(fault)}
    defaults = {field.name: field.default for field in fields(fault)}
    return {name: value for name, value in values.items() if value != defaults[name]}
