"""Capabilities of the API's models and agents, from `models.yaml` beside the root agent's file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tools.settings import ROOT, load_settings
from tools.text.did_you_mean import did_you_mean
from tools.yaml_files.field_errors import explain
from tools.yaml_files.reading import ConfigError, read_yaml

Medium = Literal["text", "image", "audio", "video", "document"]
ToolType = Literal[
    "function", "google_search", "url_context", "code_execution", "file_search", "google_maps", "mcp_server"
]


class ModelCapabilities(BaseModel):
    """The capabilities of the models or agents in one entry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...]
    kind: Literal["model", "agent"]
    background: Literal["required", "optional", "refused"] = "optional"
    system_instruction: bool = True
    structured_output: bool = True
    inputs: frozenset[Medium]
    outputs: frozenset[Medium] = frozenset({"text"})
    tools: frozenset[ToolType]
    tools_together: bool = True
    """Whether server-side tools can be combined with functions and with structured output."""
    research: bool = True
    """Whether a researcher can use it, if it is an agent."""


def capabilities_of(name: str) -> ModelCapabilities | None:
    """Returns the capabilities of a model or agent; None if they are not known.

    Raises:
        ConfigError: `models.yaml` is not valid.
    """
    return next((entry for entry in catalog() if name in entry.names), None)


def catalog() -> tuple[ModelCapabilities, ...]:
    """Returns the entries of `models.yaml`.

    Raises:
        ConfigError: `models.yaml` is not valid.
    """
    file = load_settings().config.parent / "models.yaml"
    return _read(file if os.path.lexists(file) else ROOT / "configs" / "models.yaml")


def known_names(kind: str) -> list[str]:
    """Returns the names of one kind ("model" or "agent") in `models.yaml`."""
    return [name for entry in catalog() if entry.kind == kind for name in entry.names]


@lru_cache
def _read(file: Path) -> tuple[ModelCapabilities, ...]:
    document = read_yaml(file)
    try:
        table = TypeAdapter(tuple[ModelCapabilities, ...]).validate_python(document.data)
    except ValidationError as error:
        found = [f"{file}:{document.line(each['loc'])}: {_finding(each)}" for each in error.errors()]
        raise ConfigError("\n".join(found)) from None
    seen = set[str]()
    for i, entry in enumerate(table):
        for j, name in enumerate(entry.names):
            if name.startswith("interactions:"):
                bare = "write it without `interactions:`, which is for the agents' files"
                raise ConfigError(f"{file}:{document.line((i, 'names', j))}: `{name}`: {bare}")
            if name in seen:
                raise ConfigError(f"{file}:{document.line((i, 'names', j))}: `{name}` stands here twice")
            seen.add(name)
    return table


def _finding(error: Mapping[str, Any]) -> str:
    """Describes an entry of `ValidationError.errors()`."""
    number, *keys = error["loc"] or ("",)
    place, key = f"entry {number + 1}" if isinstance(number, int) else "the file", ".".join(map(str, keys))
    if error["type"] == "missing":
        return f"{place}: `{key}` is missing"
    if error["type"] == "extra_forbidden":
        known = list(ModelCapabilities.model_fields)
        return f"{place}: unknown key `{key}`{did_you_mean(key, known)}; known are {', '.join(known)}"
    return f"{place}: {f'`{key}`: ' if key else ''}{explain(error)}"
