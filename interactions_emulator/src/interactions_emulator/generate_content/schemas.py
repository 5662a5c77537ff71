"""Converts the schemas of generateContent, in the style of OpenAPI, to JSON schemas."""

from __future__ import annotations

from typing import Any

from interactions_emulator.errors import Refused

_LISTS = {"anyOf", "prefixItems"}
_NUMBERS = {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
"""Fields that may be strings of digits, as JSON of protocol buffers has 64-bit numbers."""


def json_schema(schema: Any) -> dict[str, Any]:
    """Convert a schema: types in upper case, `nullable`, and numbers as strings. Raises `Refused` (400)."""
    if not isinstance(schema, dict):
        raise Refused(400, f"a schema is an object, such as {{'type': 'STRING'}}, not {schema!r}")
    converted: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "type" and isinstance(value, str):
            if value.lower() != "type_unspecified":
                converted["type"] = value.lower()
        elif key == "properties" and isinstance(value, dict):
            converted["properties"] = {name: json_schema(one) for name, one in value.items()}
        elif key == "items":
            converted["items"] = json_schema(value)
        elif key in _LISTS and isinstance(value, list):
            converted[key] = [json_schema(one) for one in value]
        elif key in _NUMBERS and isinstance(value, str) and value.isdecimal():
            converted[key] = int(value)
        elif key != "nullable":
            converted[key] = value
    if schema.get("nullable") is True and isinstance(converted.get("type"), str):
        converted["type"] = [converted["type"], "null"]
    return converted
