"""Reads faults that were given as JSON or by name, and checks them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from interactions_emulator.errors import Refused
from interactions_emulator.faults.fault import MATCHING_KINDS, REQUEST_KINDS, STREAM_KINDS, ZOMBIE_KINDS, Fault
from interactions_emulator.faults.named import NAMED
from interactions_emulator.text_file import read_text_file

EXAMPLE = '{"on": "create", "status": 503}'


def parse_faults(value: Any) -> list[Fault]:
    """Parse a fault, a name of faults, or a list of these. Raises `Refused` (400) with the reason."""
    if not isinstance(value, list):
        return _named(value) if isinstance(value, str) else [parse_fault(value)]
    faults: list[Fault] = []
    for number, item in enumerate(value, 1):
        try:
            faults += _named(item) if isinstance(item, str) else [parse_fault(item)]
        except Refused as error:
            place = f"fault {number} of {len(value)}: " if len(value) > 1 else ""
            raise Refused(error.status, f"{place}{error.message}") from error
    return faults


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
        if key == "status" and not 200 <= given <= 599:
            raise Refused(400, f"fault: status is a status of HTTP from 200 to 599, not {given!r}")
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


def read_option(given: str) -> list[Fault]:
    """Read a `--fault` of the command line: a name, a JSON text or a JSON file. Raises `Refused` (400)."""
    text, where = given, "--fault"
    if not given.startswith(("{", "[")):
        if given in NAMED or not (given.endswith(".json") or Path(given).exists()):
            return parse_faults(given)
        where = f"the fault file {given}"
        text = read_text_file(Path(given), where)
    try:
        found = parse_faults(from_json(text))
    except ValueError as error:
        raise Refused(400, f"{where} is not JSON ({error}): write a list such as [{EXAMPLE}]") from error
    except Refused as error:
        raise Refused(400, f"{where}: {error}") from error
    if not found:
        raise Refused(400, f"{where} has no fault: write a list such as [{EXAMPLE}], or leave it out")
    return found
