"""Capabilities of the API's models and agents, from `models.yaml` beside the root agent's file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from google.genai import types
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tools.interactions.media_types import media_type
from tools.settings import ROOT, load_settings
from tools.text.did_you_mean import did_you_mean, nearest
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
    return next((entry for entry in _table() if name in entry.names), None)


def known_names(kind: str) -> list[str]:
    """Returns the names of one kind ("model" or "agent") in `models.yaml`."""
    return [name for entry in _table() if entry.kind == kind for name in entry.names]


def misspelt(name: str) -> str:
    """Returns the known name that an unknown name seems to misspell, or an empty text.

    A name that differs from a known one only in digits counts as a new version, not as misspelt.
    """
    known = [*known_names("model"), *known_names("agent")]
    words = {_DIGITS.sub("", each) for each in known}
    word = _DIGITS.sub("", name)
    if word in words or not nearest(word, words, cutoff=0.85):
        return ""
    return nearest(name, known, cutoff=0)


def capability_errors(
    name: str, kind: str, tools: Sequence[str], *, schema: bool = False, outputs: Sequence[str] = ()
) -> Iterator[str]:
    """Yields an error for each requested feature that a model or an agent of the API lacks.

    Args:
        kind: the expected kind, "model" or "agent".
        tools: types of the requested tools.
        schema: whether answers have to match a schema.
        outputs: requested media of answers; empty if none are requested.
    """
    capabilities = capabilities_of(name)
    if capabilities is None:
        if near := misspelt(name):
            yield f"`{name}` is not known, did you mean `{near}`?"
        return
    if capabilities.kind != kind:
        where = (
            "it is the `agent` of a researcher"
            if kind == "model"
            else did_you_mean(name, known_names(kind)).strip(" ,")
        )
        yield f"`{name}` is {_a(capabilities.kind)}, not {_a(kind)}" + (f": {where}" if where else "")
        return
    if kind == "agent" and not capabilities.research:
        others = ", ".join(
            f"`{each}`" for entry in _table() if entry.kind == kind and entry.research for each in entry.names
        )
        yield f"`{name}` is not for a researcher: use {others}"
    for tool in dict.fromkeys(tools):
        if tool not in capabilities.tools:
            yield f"`{name}` takes no {_words(tool)}; it takes {_listed(capabilities.tools)}"
    for output in outputs:
        if output not in capabilities.outputs:
            other = next((n for c in _table() if c.kind == "model" and output in c.outputs for n in c.names), None)
            gives = f"; `{other}` does" if other else f"; it gives {_listed(capabilities.outputs)}"
            yield f"`{name}` gives no {output}{gives}"
    built_in = [tool for tool in tools if tool != "function"]
    if schema and not capabilities.structured_output:
        yield f"`{name}` gives no structured output"
    if built_in and not capabilities.tools_together and (schema or "function" in tools):
        what = "functions (a transfer to a specialist is one)" if "function" in tools else "`output_schema`"
        yield (
            f"`{name}` cannot combine {_listed(built_in)} with {what}: move them to a separate specialist,"
            " or use a model of Gemini 3 or later"
        )


def medium_of(part: types.Part) -> Medium:
    """Returns the medium of a message part in the terms of the Interactions API."""
    file = part.inline_data or part.file_data
    if file is None:
        return "text"
    kind = media_type(file.mime_type).partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "document"  # type: ignore[return-value]


_DIGITS = re.compile(r"\d+")


def _table() -> tuple[ModelCapabilities, ...]:
    file = load_settings().config.parent / "models.yaml"
    return _read(file if os.path.lexists(file) else ROOT / "configs" / "models.yaml")


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


def _a(kind: str) -> str:
    return f"{'an' if kind == 'agent' else 'a'} {kind}"


def _listed(names: Sequence[str] | frozenset[str]) -> str:
    return ", ".join(_words(name) for name in sorted(names)) or "no tools"


def _words(tool: str) -> str:
    return "custom functions" if tool == "function" else f"`{tool}`"
