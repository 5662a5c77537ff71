"""Checks the YAML file of one agent, with the line of each mistake and the likely fix."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.adk.agents import BaseAgent, LlmAgent, config_agent_utils
from google.adk.models import Gemini, LLMRegistry
from pydantic import ValidationError

from tools.adk.model import InteractionsLlm
from tools.config.generation_setting_checks import setting_findings
from tools.config.placeholders import PROSE, placeholders, unfilled
from tools.config.python_objects import no_such, object_named, unusable
from tools.config.schema_findings import schema_finding
from tools.config.tool_checks import (
    allowed_function_findings,
    listed_types,
    repeated_tool_findings,
    server_tool_findings,
    tool_types,
)
from tools.interactions.unsupported_features import capability_errors
from tools.research.notices.target_checks import resolve_target
from tools.research.notices.targets import Target, TargetError
from tools.research.settings import ResearchSettings
from tools.text.did_you_mean import did_you_mean
from tools.yaml_files.reading import ConfigError, Finding, Location, entries, is_below, is_file, mapping, read_yaml

REFERENCES = ("model_code", "output_schema", "input_schema")
TRANSFER_KEYS = ("disallow_transfer_to_parent", "disallow_transfer_to_peers")
TEMPLATES = ("instruction", "global_instruction")
"""Keys with texts whose placeholders ADK fills in from the session state."""


def check(path: Path, *, root: bool = True) -> Iterator[str]:
    """Yields the findings of one file, as `file:line: text`. `root`: whether the file is the root agent's."""
    try:
        document = read_yaml(path)
    except ConfigError as error:
        yield str(error)
        return
    if not isinstance(document.data, dict):
        yield f"{path}:1: not a mapping of keys to values"
        return
    for location, text in _findings(document.data, root, path.parent):
        yield f"{path}:{document.line(location)}: {text}"
    for key in TEMPLATES:
        for words, text in placeholders(document.data.get(key)):
            yield f"{path}:{document.line_of((key,), words)}: `{key}`: {text}"


def _findings(data: dict[str, Any], root: bool, folder: Path) -> Iterator[Finding]:
    given = str(data.get("agent_class", "LlmAgent"))
    try:
        agent_class = config_agent_utils._resolve_agent_class(given)
    except (Exception, SystemExit):  # an import may raise anything
        is_other = object_named(given) is not None
        yield ("agent_class",), f"`{given}` is not an agent class" if is_other else no_such(given, "agent class")
        return
    schema = getattr(agent_class, "config_type", None)
    if schema is None or not issubclass(agent_class, BaseAgent):
        yield ("agent_class",), f"`{given}` is not an agent: name an agent class, such as `tools.adk.llm_agent.Agent`"
        return
    if data.keys() >= {"follow_up_model", "limits"} and not issubclass(agent_class, ResearchSettings):
        write = "write `agent_class: tools.researcher.agent.Researcher`"
        yield ("agent_class",), f"the keys are those of a researcher, not of `{given}`: {write}"
        return
    reported = set[Location]()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated fields; wrong values are reported below
            schema.model_validate(data)
    except AttributeError:  # the SDK's enums cannot take `off`, which YAML reads as false: `_values` reports it
        pass
    except ValidationError as error:
        for entry in error.errors(include_url=False):
            if entry["loc"][:1] != ("static_instruction",):
                reported.add(entry["loc"])
                yield schema_finding(schema, entry)
            elif ("static_instruction",) not in reported:  # pydantic reports each possible form
                reported.add(("static_instruction",))
                yield ("static_instruction",), "`static_instruction` has to be a text"
    name = data.get("name")
    if isinstance(name, str) and not name.isidentifier():
        better = re.sub(r"\W+", "_", name)
        better = f"agent_{better}" if better[:1].isdigit() else better
        yield ("name",), f"`{name}` cannot be a name: use letters, digits and _, such as `{better}`"
    elif name == "user":
        yield ("name",), "`user` is the name of the user's own messages: choose another"
    yield from _references(data)
    yield from (finding for finding in _values(data) if finding[0] not in reported)
    yield from _missing_files(data, folder)
    instruction = data.get("instruction")
    if isinstance(instruction, str) and not instruction.strip() and not data.get("static_instruction"):
        yield ("instruction",), "`instruction` is empty: say what the agent does"
    if not root and issubclass(agent_class, LlmAgent):
        if not str(data.get("description") or "").strip():
            yield ("name",), "`description` is missing: the desk chooses a specialist by it"
        for key in TRANSFER_KEYS:
            if data.get(key) is not True:
                yield (key,), f"`{key}: true` is missing: every turn starts at the root (see tools/adk/chain_plugin.py)"


def _missing_files(data: dict[str, Any], folder: Path) -> Iterator[Finding]:
    for i, entry in enumerate(entries(data.get("sub_agents"))):
        name = entry.get("config_path")
        if not isinstance(name, str):
            if isinstance(entry.get("code"), str) and (wrong := unusable("code", entry["code"])):
                yield ("sub_agents", i, "code"), wrong
        elif not is_below(folder, folder / name.replace("\0", "")):
            yield ("sub_agents", i, "config_path"), f"`{name}` is outside of {folder}: move the file into that folder"
        elif not is_file(folder / name):
            if os.path.lexists(folder / name):
                yield ("sub_agents", i, "config_path"), f"`{name}` is no file, nor a link to one: name an agent's file"
                continue
            near = did_you_mean(name, [file.name for file in folder.glob("*.y*ml")])
            yield ("sub_agents", i, "config_path"), f"no file `{name}`{near}"


def _references(data: dict[str, Any]) -> Iterator[Finding]:
    """Yields a finding for each Python object and each model that is named but does not exist."""
    model = data.get("model")
    if isinstance(model, str):
        try:
            known = LLMRegistry.resolve(model)
        except ValueError:
            known = None
        if not model.rpartition(":")[2].strip():
            yield ("model",), f"`{model}` names no model: write `interactions:` and its name"
        elif known is None or (issubclass(known, Gemini) and not issubclass(known, InteractionsLlm)):
            name = model.rpartition(":")[2]
            yield ("model",), f"`{model}` would not use the Interactions API, did you mean `interactions:{name}`?"
    for key in REFERENCES:
        if isinstance(data.get(key), dict):
            yield from _reference(data[key], (key,))
    for key, value in data.items():
        if key == "tools" or key.endswith("_callbacks"):
            for i, entry in enumerate(entries(value)):
                yield from _reference(entry, (key, i), "google.adk.tools" if key == "tools" else "")


def _reference(entry: dict[str, Any], location: Location, home: str = "") -> Iterator[Finding]:
    name = entry.get("name")
    if "args" in entry:
        yield (*location, "args"), "`args` is refused by `adk web`: name a ready object of a module instead"
    if not isinstance(name, str):
        return
    if wrong := unusable(str(location[0]), f"{home}.{name}" if home and name.isidentifier() else name):
        yield (*location, "name"), wrong


def _values(data: dict[str, Any]) -> Iterator[Finding]:
    """Yields a finding for each value that the schema accepts, and the Interactions API does not."""
    yield from setting_findings(mapping(data.get("generate_content_config")))
    yield from allowed_function_findings(data)
    yield from repeated_tool_findings(data)
    yield from unfilled({key: value for key, value in data.items() if key not in PROSE})
    yield from server_tool_findings(data.get("server_tools"), "server_tools")
    yield from server_tool_findings(data.get("research_tools"), "research_tools")
    yield from _targets(mapping(data.get("notify")))
    tools, research_tools = list(tool_types(data)), listed_types(data.get("research_tools"))
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
    outputs = mapping(data.get("generate_content_config")).get("response_modalities")
    return [str(output).lower() for output in outputs] if isinstance(outputs, list) else []
