"""Reads the JSON object of a request and its fields, which may be named in camelCase or in snake_case."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from pydantic_core import from_json

from interactions_emulator.errors import Refused
from interactions_emulator.limits import MAX_NAME_CHARS


@cache
def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def field(source: dict[str, Any], name: str, default: Any = None) -> Any:
    """Return the field `name`, given in camelCase; null counts as missing."""
    value = source.get(name, source.get(_snake(name)))
    return default if value is None else value


def camel(name: str) -> str:
    """Return a field's name in camelCase."""
    return re.sub(r"_([a-z])", lambda letter: letter[1].upper(), name)


def objects(source: dict[str, Any], name: str, where: str = "") -> list[dict[str, Any]]:
    """Return a field that is a list of objects, [] if it is missing. Raises `Refused` (400)."""
    value = field(source, name, [])
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Refused(400, f"{where}{name} is a list of objects, not {value!r:.200}")
    return value


def object_field(source: dict[str, Any], name: str, where: str = "") -> dict[str, Any]:
    """Return a field that is an object, {} if it is missing. Raises `Refused` (400)."""
    value = field(source, name, {})
    if not isinstance(value, dict):
        raise Refused(400, f"{where}{name} is an object, not {value!r:.200}")
    return value


def text_field(source: dict[str, Any], name: str) -> str:
    """Return a field that is a string of at most 512 characters, "" if it is missing. Raises `Refused` (400)."""
    value = field(source, name, "")
    if not isinstance(value, str) or len(value) > MAX_NAME_CHARS:
        raise Refused(400, f"{name} is a string of at most {MAX_NAME_CHARS} characters, not {value!r:.100}")
    return value


def parse_object(raw: bytes) -> dict[str, Any]:
    """Parse a body that is a JSON object. Raises `Refused` (400) with the reason."""
    try:
        body = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise Refused(400, f"the body is not valid JSON in UTF-8: {error}") from error
    if not isinstance(body, dict):
        raise Refused(400, "the body must be a JSON object")
    return body
