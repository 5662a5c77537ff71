"""Agents from YAML: ADK's own loader, behind a check that says what is wrong, where, and what was probably meant.

The files are plain ADK agent configs, with ADK's keys. `google.adk.agents.config_agent_utils.from_config` (2.13)
reports a mistake without a line, and lets some pass; so each file is checked first.
"""

from __future__ import annotations

import importlib
import logging
import types
import typing
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from google.adk.agents import BaseAgent, LlmAgent, config_agent_utils
from google.adk.models import Gemini, LLMRegistry
from pydantic import BaseModel, ValidationError

from tools.contracts import contract_of
from tools.fit import object_named, unfit
from tools.models import InteractionsLlm
from tools.yamls import ConfigError, Finding, Location, config_files, did_you_mean, parse, read_mapping

log = logging.getLogger(__name__)

MODEL_KEYS = ("model", "agent", "max_agent", "follow_up_model")
REFERENCES = ("model_code", "output_schema", "input_schema")
TRANSFER_KEYS = ("disallow_transfer_to_parent", "disallow_transfer_to_peers")


def load_agent(path: Path) -> BaseAgent:
    """The agent of a YAML file, with its specialists.

    Raises:
        ConfigError: something in the files is wrong.
    """
    files = [file for file in config_files(path) if file == path or file.is_file()]
    problems = [problem for file in files for problem in check(file, root=file == path)]
    if problems:
        raise ConfigError("\n".join(problems))
    for name in unknown_models(files):
        log.warning("nothing is known of what %s takes: it is not in models.yaml", name)
    with warnings.catch_warnings():  # every load warns that the config classes will go (ADK 2.13)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            agent = config_agent_utils.from_config(str(path))
        except ValueError as error:  # what ADK alone knows, such as which names an agent may have
            raise ConfigError(f"{path}: {' '.join(str(error).split())}") from error
    assert isinstance(agent, BaseAgent)
    return agent


def check(path: Path, *, root: bool = True) -> Iterator[str]:
    """Findings of one file."""
    try:
        tree, data = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        yield f"{path}: {error.strerror}"
        return
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        yield f"{path}:{mark.line + 1 if mark else 1}: {getattr(error, 'problem', None) or error}"
        return
    if not isinstance(tree, yaml.MappingNode):
        yield f"{path}:1: not a mapping of keys to values"
        return
    findings = [*_twice(tree), *_findings(data, root), *_missing_files(data, path.parent)]
    for location, text in findings:
        yield f"{path}:{_line(tree, location)}: {text}"


def unknown_models(files: Sequence[Path]) -> list[str]:
    """Names of models and agents of the API in these files that the table does not have."""
    found = [data.get(key) for file in files if (data := read_mapping(file)) for key in MODEL_KEYS]
    names = dict.fromkeys(name.rpartition(":")[2] for name in found if isinstance(name, str) and name)
    return [name for name in names if contract_of(name) is None]


def _findings(data: dict[str, Any], root: bool) -> Iterator[Finding]:
    try:
        agent_class = config_agent_utils._resolve_agent_class(data.get("agent_class", "LlmAgent"))
    except ValueError:
        yield ("agent_class",), _no_such(str(data.get("agent_class")), "agent class")
        return
    schema: type[BaseModel] = agent_class.config_type
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            schema.model_validate(data)
    except ValidationError as error:
        for entry in error.errors(include_url=False):
            location = entry["loc"]
            if entry["type"] == "extra_forbidden":
                yield location, _unknown_key(str(location[-1]), _keys_at(schema, location[:-1]))
            elif entry["type"] == "missing":
                yield location[:-1], f"`{location[-1]}` is missing"
            else:
                given = "" if isinstance(entry["input"], dict) else f", not {entry['input']!r}"  # it may hold secrets
                yield location, f"`{location[-1] if location else ''}`: {entry['msg']}{given}"
    yield from _references(data)
    yield from unfit(data)
    if not root and issubclass(agent_class, LlmAgent):
        for key in TRANSFER_KEYS:
            if data.get(key) is not True:
                yield (key,), f"`{key}: true` is missing: every turn starts at the root (see tools/chains.py)"


def _missing_files(data: dict[str, Any], folder: Path) -> Iterator[Finding]:
    for i, entry in enumerate(data.get("sub_agents") or []):
        name = entry.get("config_path") if isinstance(entry, dict) else None
        if isinstance(name, str) and not (folder / name).is_file():
            near = did_you_mean(name, [file.name for file in folder.glob("*.yaml")])
            yield ("sub_agents", i, "config_path"), f"no file `{name}`{near}"


def _references(data: dict[str, Any]) -> Iterator[Finding]:
    """Names of Python objects and of models that do not exist."""
    model = data.get("model")
    if isinstance(model, str):
        try:
            known = LLMRegistry.resolve(model)
        except ValueError:
            known = None
        if known is None or (issubclass(known, Gemini) and not issubclass(known, InteractionsLlm)):
            name = model.rpartition(":")[2]
            yield ("model",), f"`{model}` would not use the Interactions API, did you mean `interactions:{name}`?"
    for key in REFERENCES:
        if isinstance(data.get(key), dict):
            yield from _reference(data[key], (key,))
    for key, value in data.items():
        if (key == "tools" or key.endswith("_callbacks")) and isinstance(value, list):
            for i, entry in enumerate(value):
                if isinstance(entry, dict):
                    yield from _reference(entry, (key, i), "google.adk.tools" if key == "tools" else "")


def _reference(entry: dict[str, Any], location: Location, home: str = "") -> Iterator[Finding]:
    name = entry.get("name")
    if "args" in entry:
        yield (*location, "args"), "`args` is refused by `adk web`: name a ready object of a module instead"
    if not isinstance(name, str):
        return
    full = name if "." in name or not home else f"{home}.{name}"
    if object_named(full) is None:
        yield (*location, "name"), _no_such(full, "object")


def _no_such(name: str, what: str) -> str:
    """With the nearest name of the same module, if the module is there."""
    module, _, attribute = name.rpartition(".")
    try:
        names = dir(importlib.import_module(module or "google.adk.agents"))
    except (ImportError, ValueError):
        return f"no {what} `{name}`: there is no module `{module}`"
    return f"no {what} `{name}`{did_you_mean(attribute, names)}"


def _unknown_key(key: str, known: Sequence[str]) -> str:
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
            for inner in typing.get_args(annotation):
                yield from inside(inner)

    return list(inside(model.model_fields[field].annotation))


def _is_tagged(model: type[BaseModel], tag: str) -> bool:
    """Whether the model is the one of a union that says `type: <tag>`."""
    return "type" in model.model_fields and tag in typing.get_args(model.model_fields["type"].annotation)


def _twice(tree: yaml.MappingNode) -> Iterator[Finding]:
    """YAML takes the last of two equal keys without a word."""
    seen = set()
    for key, _ in tree.value:
        if key.value in seen:
            yield (key.value,), f"`{key.value}` stands here twice"
        seen.add(key.value)


def _line(node: yaml.Node, location: Location) -> int:
    """Line of the deepest node on the way to `location`."""
    line = node.start_mark.line
    for step in location:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in reversed(node.value) if k.value == step), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
    return line + 1
