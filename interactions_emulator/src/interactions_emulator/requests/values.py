"""The values that fields of requests may have: of generation_config, of agent_config, and in declared functions.

Each function returns what is wrong and what is right, or None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from interactions_emulator.requests.vocabulary import (
    AGENT_CONFIG_VALUES,
    GENERATION_CONFIG_RANGES,
    JSON_TYPES,
    RESPONSE_FORMAT_FIELDS,
    THINKING_VALUES,
    TOOL_CHOICES,
)

_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")


def wrong_generation_config(config: Mapping[str, Any]) -> str | None:
    """What is wrong with the numbers, texts and choices of a generation_config."""
    for field, allowed in THINKING_VALUES.items():
        if (value := config.get(field)) not in (None, *allowed):
            return f"generation_config.{field} is one of {', '.join(allowed)}, not {value!r}"
    for field, (kind, low, high) in GENERATION_CONFIG_RANGES.items():
        value = config.get(field)
        if value is None:
            continue
        if not is_number(value, kind) or not low <= value <= high:
            what = "a whole number" if kind is int else "a number"
            least = "" if low == float("-inf") else f" from {low}"
            most = "" if high == float("inf") else f" to {high}"
            return f"generation_config.{field} is {what}{least}{most}, not {value!r}"
    stops = config.get("stop_sequences")
    if stops is not None and not (isinstance(stops, list) and all(isinstance(stop, str) for stop in stops)):
        return f"generation_config.stop_sequences is a list of texts, not {stops!r}"
    choice = config.get("tool_choice")
    if isinstance(choice, str) and choice not in TOOL_CHOICES:
        return f"generation_config.tool_choice is one of {', '.join(TOOL_CHOICES)}, not {choice!r}"
    return None


def wrong_agent_config(config: Mapping[str, Any]) -> str | None:
    """What is wrong with the values of an agent_config."""
    for field, allowed in AGENT_CONFIG_VALUES.get(config["type"], {}).items():
        value = config.get(field)
        if value is not None and not any(value is one or (isinstance(one, str) and value == one) for one in allowed):
            names = " or ".join(str(one).lower() if isinstance(one, bool) else one for one in allowed)
            return f"agent_config.{field} is {names}, not {value!r}"
    return None


def wrong_response_format(item: Mapping[str, Any]) -> str | None:
    """What is wrong with the type of a response_format; a bare JSON schema has the type of its value, or none."""
    kind = item.get("type")
    if not isinstance(kind, str) or kind in RESPONSE_FORMAT_FIELDS or kind.lower() in JSON_TYPES:
        return None
    return (
        f"response_format.type {kind!r} is unknown; known are {', '.join(RESPONSE_FORMAT_FIELDS)}. For JSON send"
        ' {"type": "text", "mime_type": "application/json", "schema": {...}}'
    )


def wrong_function_name(name: str) -> str | None:
    """What is wrong with the name of a function."""
    if _FUNCTION_NAME.fullmatch(name):
        return None
    return (
        f"function {name!r}: a name begins with a letter or _, and has at most 64 letters, digits and characters of"
        " _ . : - in it"
    )


def wrong_parameters(name: str, schema: Any) -> str | None:
    """What is wrong with the parameters of a function: the schema of an object, with a schema for each property."""
    if not isinstance(schema, dict):
        return f"tools: parameters of function {name!r} must be a JSON schema (an object)"
    if str(schema.get("type", "object")).lower() != "object":
        return f"tools: parameters of function {name!r} must be of type object, not {schema['type']!r}"
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        return f"tools: properties of function {name!r} must be an object"
    for key, value in properties.items():
        if not isinstance(value, dict | bool):
            return f"tools: property {key!r} of function {name!r} must be a JSON schema (an object), not {value!r:.99}"
        kind = value.get("type") if isinstance(value, dict) else None
        if isinstance(kind, str) and kind.lower() not in JSON_TYPES:
            return (
                f"tools: property {key!r} of function {name!r} has the type {kind!r}; known are {', '.join(JSON_TYPES)}"
            )
    return None


def undefined_required(schema: Any) -> str | None:
    """The first required property of a schema that it does not define."""
    if not isinstance(schema, dict) or not isinstance(schema.get("required"), list):
        return None
    defined = schema.get("properties") or {}
    return next((key for key in schema["required"] if isinstance(key, str) and key not in defined), None)


def is_number(value: Any, kind: type = float) -> bool:
    """Whether a value is a number, or a whole one if `kind` is int. A bool is none."""
    return isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
