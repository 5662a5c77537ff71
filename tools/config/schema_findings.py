"""Describes what an agent's schema does not accept: unknown keys, missing values, values of another form."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from tools.adk.generation_config import SUPPORTED_KEYS
from tools.interactions.model_catalog import ToolType
from tools.text.did_you_mean import did_you_mean
from tools.yaml_files.field_errors import explain
from tools.yaml_files.reading import Finding, Location


def schema_finding(schema: type[BaseModel], entry: Mapping[str, Any]) -> Finding:
    """Describes an entry of `ValidationError.errors()`; instead of names of classes, shows the expected form."""
    location, kind = entry["loc"], entry["type"]
    if kind == "extra_forbidden":
        inside = location[:-1]
        known = SUPPORTED_KEYS if inside == ("generate_content_config",) else _keys_at(schema, inside)
        return location, _unknown_key(str(location[-1]), sorted({*known} - {"args"}))  # `args` is refused
    if kind == "missing":
        return location[:-1], f"`{location[-1]}` is missing"
    if len(location) in (1, 2) and isinstance(entry["input"], str) and (key := _entry_key(location)):
        return location, f"`{location[0]}`: write an entry as a mapping: `- {key}: {entry['input']}`"
    if location in (("output_schema",), ("input_schema",), ("model_code",)):
        return location, f"`{location[0]}`: write `{location[0]}: {{name: package.module.NAME}}`"
    if kind == "union_tag_not_found":
        return location, f"`type` is missing; known are {', '.join(get_args(ToolType)[1:])}"
    if kind == "union_tag_invalid":
        kinds = re.findall(r"'(\w+)'", str(entry["ctx"]["expected_tags"]))
        tag = str(entry["ctx"]["tag"])
        return (*location, "type"), f"no type `{tag}`{did_you_mean(tag, kinds)}; known are {', '.join(kinds)}"
    keys = [step for step in location if isinstance(step, str) and step != "[key]"]  # a wrong key, in pydantic's words
    return location, f"`{keys[-1] if keys else ''}`: {explain(entry)}"


def _entry_key(location: Location) -> str:
    """The key that an entry of a list begins with; empty if the value is not such a list."""
    key = str(location[0])
    if key in ("server_tools", "research_tools"):
        return "type"
    return "config_path" if key == "sub_agents" else "name" if key == "tools" or key.endswith("_callbacks") else ""


def _unknown_key(key: str, known: Sequence[str]) -> str:
    if key in SUPPORTED_KEYS and "generate_content_config" in known:
        return f"unknown key `{key}`: it belongs under `generate_content_config:`"
    listed = f"; known here: {', '.join(known)}" if len(known) <= 12 else ""
    return f"unknown key `{key}`{did_you_mean(key, known)}{listed}"


def _keys_at(schema: type[BaseModel], location: Location) -> list[str]:
    """Keys that are valid inside the mapping at `location`."""
    models = [schema]
    for step in location:
        if isinstance(step, str):
            inner = [m for model in models if step in model.model_fields for m in _models_in(model, step)]
            models = inner or [model for model in models if _is_tagged(model, step)] or models
    return list(dict.fromkeys(key for model in models for key in model.model_fields))


def _models_in(model: type[BaseModel], field: str) -> list[type[BaseModel]]:
    """The pydantic models inside Optional[...], list[...] and unions."""

    def inside(annotation: Any) -> Iterator[type[BaseModel]]:
        if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
            if issubclass(annotation, BaseModel):
                yield annotation
        else:
            for inner in get_args(annotation):
                yield from inside(inner)

    return list(inside(model.model_fields[field].annotation))


def _is_tagged(model: type[BaseModel], tag: str) -> bool:
    """Whether the model is the member of a union with `type: <tag>`."""
    return "type" in model.model_fields and tag in get_args(model.model_fields["type"].annotation)
