"""Checks, when a configuration is loaded, whether the Interactions API supports what it requests."""

from __future__ import annotations

import importlib
import os
import re
import warnings
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args

from google.adk.tools.computer_use.computer_use_toolset import ComputerUseToolset
from google.adk.tools.google_maps_grounding_tool import GoogleMapsGroundingTool
from google.adk.tools.google_search_tool import GoogleSearchTool
from google.adk.tools.url_context_tool import UrlContextTool
from google.genai import types
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tools.adk.deferred_tier import DEFERRED_TIER
from tools.adk.generation_config import LABEL, LABEL_KEY, SUPPORTED_KEYS
from tools.interactions.model_catalog import ToolType
from tools.interactions.server_tools import ServerTool
from tools.interactions.unsupported_features import capability_errors
from tools.research.notices.target_checks import resolve_target
from tools.research.notices.targets import Target, TargetError
from tools.text.did_you_mean import did_you_mean
from tools.yaml_files.environment_references import VARIABLE
from tools.yaml_files.reading import Finding, Location, entries

BUILT_IN = {
    GoogleSearchTool: "google_search",
    UrlContextTool: "url_context",
    GoogleMapsGroundingTool: "google_maps",
    ComputerUseToolset: "computer_use",
}
"""ADK's server-side tools with their names in the API; its other tools are functions."""
_TOOL = TypeAdapter[ServerTool](ServerTool)


_DOLLAR = re.compile(r"\$\{[^}]*\}?|\$[A-Za-z_]\w*")
_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")
PROSE = ("description", "instruction", "global_instruction", "static_instruction")
"""Keys with texts for a model, which may contain `$`."""
WORD_KEYS = ("category", "threshold", "method", "mode", "service_tier", "thinking_level")
"""Keys in `generate_content_config` whose values are words of an enum."""
MAX_INT = 2**31 - 1
"""The largest integer that the API accepts."""
THINKING_LEVELS = ("minimal", "low", "medium", "high", "xhigh")


class _Limits(BaseModel):
    """Valid ranges of the numbers in `generate_content_config`. ADK's own schema accepts `'5'` and `yes` as numbers."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: float | None = Field(None, ge=1, le=MAX_INT)
    max_output_tokens: int | None = Field(None, ge=1, le=MAX_INT)
    seed: int | None = Field(None, ge=-MAX_INT - 1, le=MAX_INT)


def validate(data: dict[str, Any]) -> Iterator[Finding]:
    """Yields the findings of one file, given as data from YAML."""
    yield from _settings(_mapping(data.get("generate_content_config")))
    yield from _allowed_functions(data)
    yield from _repeated_tools(data)
    yield from _unfilled({key: value for key, value in data.items() if key not in PROSE})
    yield from _server_tools(data.get("server_tools"), "server_tools")
    yield from _server_tools(data.get("research_tools"), "research_tools")
    yield from _targets(_mapping(data.get("notify")))
    tools, research_tools = list(_tool_types(data)), _types(data.get("research_tools"))
    for key, kind, used in (
        ("agent", "agent", research_tools),
        ("max_agent", "agent", research_tools),
        ("model", "model", [*tools, *(["function"] if data.get("sub_agents") else ())]),
        ("follow_up_model", "model", []),
    ):
        if isinstance(name := data.get(key), str) and name:
            schema = key == "model" and "output_schema" in data
            bare = name.rpartition(":")[2] if key == "model" else name.removeprefix("interactions:")
            for misfit in capability_errors(bare, kind, used, schema=schema, outputs=_outputs(data)):
                yield (key,), misfit


def _settings(settings: dict[str, Any]) -> Iterator[Finding]:
    """Yields a finding for each setting that the API does not have, which ADK would drop silently."""
    here = "generate_content_config"
    if camel := list(_camel_case(settings, (here,))):
        yield from camel
        return  # the checks below know the other names only
    for key in sorted((settings.keys() - SUPPORTED_KEYS) & types.GenerateContentConfig.model_fields.keys()):
        yield (here, key), f"`{key}` is not part of the Interactions API, which has {', '.join(sorted(SUPPORTED_KEYS))}"
    numbers = {key: settings.get(key) for key in _Limits.model_fields}
    try:
        _Limits.model_validate(numbers)
    except ValidationError as error:
        for entry in error.errors():
            yield (here, *entry["loc"]), f"`{entry['loc'][0]}`: {entry['msg']}, not {entry['input']!r:.60}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the SDK only warns about words that are reported here
            known = types.GenerateContentConfig.model_validate(settings)
    except ValidationError:  # the agent's schema reports it
        pass
    except AttributeError:  # the SDK's enums cannot take `off`, which YAML reads as false
        yield from ((((here, *location)), text) for location, text in _unquoted_words(settings))
    else:
        yield from ((((here, *location)), text) for location, text in _unknown_words(known))
    thinking = _mapping(settings.get("thinking_config")).get("thinking_level")
    if isinstance(thinking, str) and thinking.lower() not in THINKING_LEVELS:
        near = did_you_mean(thinking.lower(), THINKING_LEVELS)
        levels = ", ".join(THINKING_LEVELS)
        yield (here, "thinking_config", "thinking_level"), f"no level `{thinking}`{near}; levels are {levels}"
    for key, value in _mapping(settings.get("labels")).items():
        if not LABEL_KEY.fullmatch(str(key)) or not LABEL.fullmatch(str(value)):
            yield (here, "labels", key), f"`{key}: {value}`: labels have at most 63 of a-z, 0-9, _ and -"
    if "thinking_budget" in _mapping(settings.get("thinking_config")):
        yield (here, "thinking_config", "thinking_budget"), "the Interactions API has `thinking_level` instead"


def _camel_case(value: Any, location: Location) -> Iterator[Finding]:
    """Yields a finding for each key in the form of Gemini's REST pages, which the SDK's schema also accepts."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(key, str) and key != (snake := _CAPITAL.sub(r"_\1", key).lower()):
            yield (*location, key), f"`{key}`: write `{snake}`, as in Python"
        elif key != "labels":
            yield from _camel_case(each, (*location, key))


def _unquoted_words(value: Any, location: Location = ()) -> Iterator[Finding]:
    """Yields a finding for each value that has to be a word, and that YAML reads as something else."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if key in WORD_KEYS and not isinstance(each, str | dict | list | None):
            yield (*location, key), f"`{key}`: YAML reads this word as {each!r}: put it in quotes"
        yield from _unquoted_words(each, (*location, key))


def _unknown_words(value: Any, location: Location = ()) -> Iterator[Finding]:
    """Yields a finding for each word that is not in the SDK's enum. The SDK itself accepts every word."""
    if isinstance(value, BaseModel):
        for key in value.model_fields_set - {"thinking_level"}:  # `THINKING_LEVELS` has more levels than the SDK
            yield from _unknown_words(getattr(value, key), (*location, key))
    elif isinstance(value, list):
        for i, each in enumerate(value):
            yield from _unknown_words(each, (*location, i))
    elif isinstance(value, Enum) and value.name not in type(value).__members__:
        words = [word for word in type(value).__members__ if not word.endswith("UNSPECIFIED")]
        words += [DEFERRED_TIER] if location == ("service_tier",) else []
        if value.value not in words:
            near = did_you_mean(str(value.value), words, fold=True)
            yield location, f"`{location[-1]}`: no `{value.value}`{near}; known are {', '.join(words)}"


def _repeated_tools(data: dict[str, Any]) -> Iterator[Finding]:
    """Yields a finding for each entry of `tools` that is listed twice, or is also in `server_tools`.

    A model calls a function by its name without the module, so two functions cannot share it.
    """
    seen, called = set[str](), dict[str, str]()
    if data.get("sub_agents"):
        called["transfer_to_agent"] = "transfer_to_agent"  # ADK adds it
    for i, entry in enumerate(entries(data.get("tools"))):
        if isinstance(name := entry.get("name"), str):
            if name in seen:
                yield ("tools", i), f"`{name}` stands here twice"
            elif (other := called.setdefault(name.rpartition(".")[2], name)) != name:
                yield ("tools", i), f"a model cannot tell `{name}` from `{other}`: give its function another name"
            seen.add(name)
    for i, entry in enumerate(entries(data.get("server_tools"))):
        if (kind := str(entry.get("type"))) in seen:
            yield ("server_tools", i), f"`{kind}` is in `tools` too: remove one of the two"


def _unfilled(value: Any, location: Location = ()) -> Iterator[Finding]:
    """Yields a finding for each `$NAME` that would be sent as it is."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _unfilled(each, (*location, key))
    elif isinstance(value, str):
        filled = "headers" in location or location[:1] == ("notify",)
        if found := _DOLLAR.search(VARIABLE.sub("", value) if filled else value):
            way = "write `${NAME}`" if filled else "write the value itself (only `headers` and `notify` take `${NAME}`)"
            yield location, f"`{location[-1]}`: `{found.group()}` is not replaced by a variable's value: {way}"


def _allowed_functions(data: dict[str, Any]) -> Iterator[Finding]:
    """Yields a finding for each name in `allowed_function_names` that is not a function of the agent."""
    location = ("generate_content_config", "tool_config", "function_calling_config", "allowed_function_names")
    names: Any = data
    for key in location:
        names = _mapping(names).get(key)
    tools = [str(entry.get("name", "")) for entry in entries(data.get("tools"))]
    known = [name.rpartition(".")[2] for name in tools] + (["transfer_to_agent"] if data.get("sub_agents") else [])
    for i, name in enumerate(names if isinstance(names, list) else ()):
        if isinstance(name, str) and name not in known:
            why = did_you_mean(name, known) or f"; it has {', '.join(known) or 'none'}"
            yield (*location, i), f"`{name}` is not a function of this agent{why}"


def _server_tools(tools: Any, key: str) -> Iterator[Finding]:
    seen = set()
    for i, entry in enumerate(tools if isinstance(tools, list) else ()):
        try:
            tool = _TOOL.validate_python(entry)
        except ValidationError:  # the agent's schema reports it
            continue
        for name in tool.variables():
            if not os.environ.get(name):
                yield (key, i, "headers"), f"`{entry['name']}` needs {name}: set it in the environment"
        name = entry.get("name", tool.type)
        if name in seen:
            yield (key, i), f"`{name}` stands here twice"
        seen.add(name)


def _targets(targets: dict[str, Any]) -> Iterator[Finding]:
    """Yields a finding for each target of notices that cannot be used."""
    for name, entry in targets.items():
        try:
            resolve_target(Target.model_validate(entry), os.environ)
        except ValidationError:  # the agent's schema reports it
            continue
        except TargetError as error:
            yield ("notify", name, error.key), str(error)


def _outputs(data: dict[str, Any]) -> list[str]:
    outputs = _mapping(data.get("generate_content_config")).get("response_modalities")
    return [str(output).lower() for output in outputs] if isinstance(outputs, list) else []


def _mapping(value: Any) -> dict[str, Any]:
    """Returns a mapping unchanged, and {} for any other value, since the agent's schema refuses that one."""
    return value if isinstance(value, dict) else {}


def _types(tools: Any) -> list[str]:
    """The types of tools in a list, without unknown types, which the agent's schema reports."""
    return [str(tool["type"]) for tool in entries(tools) if tool.get("type") in get_args(ToolType)]


def _tool_types(data: dict[str, Any]) -> Iterator[str]:
    yield from _types(data.get("server_tools"))
    for entry in entries(data.get("tools")):
        if isinstance(name := entry.get("name"), str):
            tool = object_named(name if "." in name else f"google.adk.tools.{name}")
            yield next((kind for built_in, kind in BUILT_IN.items() if isinstance(tool, built_in)), "function")


def object_named(name: str) -> Any:
    """Returns the Python object of a dotted name, or None."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute, None)
    except (Exception, SystemExit):  # an import may raise anything
        return None
