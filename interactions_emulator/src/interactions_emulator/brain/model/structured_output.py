"""Structured output: how a request asks for it, and how an answer is checked against its schema."""

from __future__ import annotations

import json
import re
from typing import Any

FORMATS = ("json_schema", "json_object", "")
"""Ways to ask for JSON, best first: with the schema, with llama.cpp's dialect, in words only."""


class SchemaError(Exception):
    """The schema cannot be used. The message says why."""


def response_format(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The fields of a chat completion that ask for JSON; `kind` is one of `FORMATS`."""
    if kind == "json_schema":
        return {"response_format": {"type": kind, "json_schema": {"name": "answer", "schema": schema}}}
    return {"response_format": {"type": kind, "schema": schema}} if kind else {}


def check(text: str, schema: dict[str, Any]) -> tuple[str, str]:
    """Return (JSON text, "") if the text has a value that fits the schema, else ("", what is wrong).

    Raises:
        SchemaError: the schema is not a JSON schema, or jsonschema is not installed.
    """
    try:
        value = json.loads(re.sub(r"^\s*```\w*\s*|\s*```\s*$", "", text))
    except (ValueError, RecursionError) as error:
        return "", f"it is not JSON: {error}"
    try:
        import jsonschema
        from referencing import Registry
        from referencing.exceptions import Unresolvable
    except ImportError as error:
        raise SchemaError(
            "Answers of a model are checked with jsonschema: pip install 'interactions-emulator[model]'"
        ) from error
    try:
        kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        kind.check_schema(schema)
        wrong = next(kind(schema, registry=Registry()).iter_errors(value), None)  # an empty registry downloads nothing
    except (jsonschema.SchemaError, Unresolvable) as error:
        words = getattr(error, "message", "") or str(error)
        raise SchemaError(f"The schema in response_format is not usable: {words[:300]}") from error
    if wrong:
        return "", f"{wrong.json_path}: {wrong.message[:300]}"
    return json.dumps(value, ensure_ascii=False), ""


def plain_schema(schema: Any) -> Any:
    """A schema in the notation of JSON Schema: the API also takes types in capitals and `nullable`."""
    if isinstance(schema, list):
        return [plain_schema(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _plain_value(key, value) for key, value in schema.items() if key != "nullable"}
    if schema.get("nullable") is True and isinstance(plain.get("type"), str):
        plain["type"] = [plain["type"], "null"]
    return plain


def _plain_value(key: str, value: Any) -> Any:
    if key == "type" and isinstance(value, str):
        return value.lower()
    if key == "properties" and isinstance(value, dict):  # its keys are names, such as "type"
        return {name: plain_schema(one) for name, one in value.items()}
    return value if key in ("enum", "const", "default", "examples", "example", "required") else plain_schema(value)
