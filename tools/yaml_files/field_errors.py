"""Describes values that a schema does not accept, in words for a file of YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.text.secret_redaction import redact

_PATTERNS = {
    r"^\w+$": "write letters, digits and _",
    r"^[\w-]+$": "write letters, digits, _ and -",
    r"^fileSearchStores/[a-z0-9-]+$": "write the store's name, fileSearchStores/ID, whose ID has a-z, 0-9 and -",
    r"^https?://": "write an address that begins with https:// or http://",
}
"""Patterns of fields, in words."""


def explain(error: Mapping[str, Any]) -> str:
    """Describes an entry of pydantic's `ValidationError.errors()` in words for a file of YAML."""
    kind, value = error["type"], error["input"]
    if kind in ("string_type", "literal_error", "enum") and not isinstance(value, str | dict | list | None):
        said = error["msg"] if kind != "string_type" else "has to be a text"
        return f"{said}; YAML reads this as {value!r}: put it in quotes"
    # A mapping may hold secrets, and so may an address.
    shown = "" if isinstance(value, dict) else f", not {redact(repr(value))[:200]}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"has to be a mapping, `key: value`{shown}"
    if kind in ("list_type", "tuple_type", "set_type", "frozen_set_type", "sequence_str") or (
        kind == "is_instance_of" and error["ctx"]["class"] == "Sequence"
    ):
        return f"has to be a list, one `- …` a line{shown}"
    if kind == "string_pattern_mismatch" and (meant := _PATTERNS.get(error["ctx"]["pattern"])):
        return f"{meant}{shown}"
    if kind in ("bool_parsing", "bool_type"):
        return f"has to be true or false{shown}"
    return str(error["msg"]).removeprefix("Value error, ") + shown
