"""Faults on demand: makes the server fail in the ways that real servers and networks fail.

A fault is a JSON object, `{"on": "stream", "cut_after": 4}`, or a name for one or more, `"accepted_then_404"`.
`fault_table.py` describes the fields and lists the names. There are three ways to set faults:
    when the server starts
    at any time: `POST /_emulator/faults` adds a fault or a list of faults; `DELETE` removes all faults
    for one request, in its header `x-emulator-fault`: an object, where `on`, `times` and `skip` are optional and
    ignored, or a name

Only the first fault that matches a request and is not used up hits it. Only `zombie` changes the run itself. With any
other fault the run continues, and a GET shows its state.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from pydantic_core import from_json

from interactions_emulator.errors import Refused
from interactions_emulator.fault_table import NAMED

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
EXAMPLE = '{"on": "create", "status": 503}'
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
    """One fault; `fault_table.py` explains the fields."""

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
    body: str | None = None
    headers: dict[str, str] | None = None
    before: str | None = None
    name: str | None = None

    @property
    def refuses(self) -> bool:
        """Whether an error, a closed connection or silence takes the place of the answer."""
        given = self.status is not None or self.body is not None
        return given or self.drop or self.hang or self.crash or self.after_accept

    @property
    def crashes(self) -> bool:
        """Whether the fault kills the server."""
        return self.crash or self.crash_after is not None

    @property
    def affects_stream(self) -> bool:
        """Whether the fault changes the events of a stream or delays them."""
        return (
            self.no_usage
            or self.before is not None
            or self.event_delay_ms > 0
            or any(getattr(self, name) is not None for name in STREAM_EFFECTS)
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
        """Return the fault for a request of this kind, and count the match; None if no fault matches."""
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
        """Return the faults that have hit no request. Of faults with the same name one hit is enough."""
        hit = [matched > fault.skip for fault, matched in zip(self._faults, self._matches, strict=True)]
        used_names = {fault.name for fault, used in zip(self._faults, hit, strict=True) if used and fault.name}
        pairs = zip(self._faults, hit, strict=True)
        return [fault for fault, used in pairs if not used and fault.name not in used_names]

    def show(self) -> list[dict[str, Any]]:
        """Return the faults as JSON, each with `matched`: how many requests matched it, skipped ones included."""
        return [
            {**to_json(fault), "matched": matched} for fault, matched in zip(self._faults, self._matches, strict=True)
        ]


def parse_faults(value: Any) -> list[Fault]:
    """Parse a fault, a name of faults, or a list of these. Raises `Refused` (400) with the reason."""
    given = value if isinstance(value, list) else [value]
    return [fault for item in given for fault in (_named(item) if isinstance(item, str) else [parse_fault(item)])]


def _named(name: str) -> list[Fault]:
    if name not in NAMED:
        similar = _similar(name, NAMED)
        raise Refused(400, f"fault {name!r} is unknown; `interactions-emulator faults` lists all{similar}")
    return [parse_fault({**fault, "name": name}) for fault in NAMED[name].faults]


def _similar(name: object, known: Iterable[str]) -> str:
    close = get_close_matches(str(name), known, 1)
    return f"; did you mean {close[0]}?" if close else ""


def read_json_or_name(text: str, where: str) -> Any:
    """Read a text that is the JSON of faults, or the bare name of one. Raises `Refused` (400), which names `where`."""
    if re.fullmatch(r"[a-z]\w*", text.strip()):
        return text.strip()
    try:
        return from_json(text)
    except ValueError as error:
        raise Refused(400, f"{where} is no fault ({error}): give a name, or JSON such as {EXAMPLE}") from error


def parse_header(text: str, on: str) -> Fault:
    """Parse the header `x-emulator-fault` of a request of the kind `on`. Raises `Refused` (400)."""
    value = read_json_or_name(text, "x-emulator-fault")
    if not isinstance(value, str):
        return parse_fault({**value, "on": on} if isinstance(value, dict) else value)
    named = _named(value)
    fault = next((fault for fault in named if fault.on in MATCHING_KINDS.get(on, {on})), None)
    if fault is None:
        raise Refused(400, f"x-emulator-fault: {value} hits a request of the kind {named[0].on}, and this one is {on}")
    return fault


def parse_fault(value: Any) -> Fault:
    """Parse one fault. Raises `Refused` (400) with the reason."""
    if isinstance(value, Fault):
        return value
    if not isinstance(value, dict):
        raise Refused(400, f"a fault is a name or an object such as {EXAMPLE}, not {value!r:.200}")
    flags = {field.name for field in fields(Fault) if field.type == "bool"}
    texts = {"body", "before", "name"}
    numbers = {field.name for field in fields(Fault)} - flags - texts - {"on", "headers"}
    for key, given in value.items():
        if key in flags and not isinstance(given, bool):
            raise Refused(400, f"fault: {key} is true or false, not {given!r}")
        if key in numbers and (type(given) is not int or given < 0):
            raise Refused(400, f"fault: {key} is a number (0 or more), not {given!r}")
        if key in texts and not isinstance(given, str):
            raise Refused(400, f"fault: {key} is a text, not {given!r}")
        if key == "headers" and not _is_headers(given):
            raise Refused(400, f"fault: headers is an object of texts without line breaks, not {given!r}")
        if key not in flags | numbers | texts | {"on", "headers"}:
            known = ", ".join(field.name for field in fields(Fault))
            similar = _similar(key, (field.name for field in fields(Fault)))
            raise Refused(400, f"fault: field {key!r} is unknown; known are {known}{similar}")
    if "on" not in value:
        raise Refused(400, f"fault: on is missing: say which requests to hit, such as {EXAMPLE}")
    if value["on"] not in REQUEST_KINDS:
        similar = _similar(value["on"], REQUEST_KINDS)
        raise Refused(400, f"fault: on is one of {', '.join(REQUEST_KINDS)}, not {value['on']!r}{similar}")
    fault = Fault(**value)
    if fault.headers and fault.status is None and fault.body is None:
        raise Refused(400, "fault: headers needs a status or a body to go with")
    if not (fault.refuses or fault.affects_stream or fault.delay_ms or fault.zombie):
        raise Refused(
            400,
            f"fault: {value} has no effect: give a status, body, drop, hang, crash, delay_ms, after_accept, zombie,"
            " or an effect on streams",
        )
    if fault.affects_stream and (fault.on, fault.no_usage) != ("get", True) and fault.on not in STREAM_KINDS:
        raise Refused(400, f"fault: effects on a stream need on = {', '.join(STREAM_KINDS)}")
    if fault.zombie and fault.on not in ZOMBIE_KINDS:
        raise Refused(400, f"fault: zombie needs on = {', '.join(ZOMBIE_KINDS)}")
    return fault


def _is_headers(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(isinstance(text, str) and text.isprintable() and text.isascii() for text in [*value, *value.values()])


def to_json(fault: Fault) -> dict[str, Any]:
    """Return a fault as the JSON object it was parsed from."""
    values = {field.name: getattr(fault, field.name) for field in fields(fault)}
    defaults = {field.name: field.default for field in fields(fault)}
    return {name: value for name, value in values.items() if value != defaults[name]}
