"""Agents from YAML: ADK's own loader, behind a check that says what is wrong, where, and what was probably meant.

The files are plain ADK agent configs, with ADK's keys. `google.adk.agents.config_agent_utils.from_config` (2.13)
reports a mistake without a line, and lets some pass; so each file is checked first.
"""

from __future__ import annotations

import difflib
import importlib
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

from tools.models import InteractionsLlm
from tools.yamls import ConfigError, config_files

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
        tree = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
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


Location = tuple[str | int, ...]
Finding = tuple[Location, str]


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
                yield (
                    location,
                    f"`{location[-1] if location else ''}`: {entry['msg']}, not {entry['input']!r}",
                )
    yield from _references(data)
    if not root and issubclass(agent_class, LlmAgent):
        for key in TRANSFER_KEYS:
            if data.get(key) is not True:
                yield (key,), f"`{key}: true` is missing: every turn starts at the root (see tools/chains.py)"


def _missing_files(data: dict[str, Any], folder: Path) -> Iterator[Finding]:
    for i, entry in enumerate(data.get("sub_agents") or []):
        name = entry.get("config_path") if isinstance(entry, dict) else None
        if isinstance(name, str) and not (folder / name).is_file():
            near = _did_you_mean(name, [file.name for file in folder.glob("*.yaml")])
            yield ("sub_agents", i, "config_path"), f"no file `{name}`{near}"


def _references(data: dict[str, Any]) -> Iterator[Finding]:
    """Names of Python objects and of models that do not exist."""
    model = data.get("model")
    if isinstance(model, str):
        try:
            known = LLMRegistry.resolve(model)
        except ValueError:
            known = None
        if known is None or (issubclass(known, Gemini) and known is not InteractionsLlm):
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
    module, _, attribute = full.rpartition(".")
    try:
        found = hasattr(importlib.import_module(module), attribute)
    except (ImportError, ValueError):
        found = False
    if not found:
        yield (*location, "name"), _no_such(full, "object")


def _no_such(name: str, what: str) -> str:
    """With the nearest name of the same module, if the module is there."""
    module, _, attribute = name.rpartition(".")
    try:
        names = dir(importlib.import_module(module or "google.adk.agents"))
    except (ImportError, ValueError):
        return f"no {what} `{name}`: there is no module `{module}`"
    return f"no {what} `{name}`{_did_you_mean(attribute, names)}"


def _unknown_key(key: str, known: Sequence[str]) -> str:
    listed = f"; known here: {', '.join(known)}" if len(known) <= 12 else ""
    return f"unknown key `{key}`{_did_you_mean(key, known)}{listed}"


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f", did you mean `{near[0]}`?" if near else ""


def _keys_at(schema: type[BaseModel], location: Location) -> list[str]:
    """Keys that are valid inside the mapping at `location`."""
    current: Any = schema
    for step in location:
        if isinstance(step, str) and (fields := getattr(current, "model_fields", None)) and step in fields:
            current = _model_in(fields[step].annotation)
    return list(getattr(current, "model_fields", {}))


def _model_in(annotation: Any) -> Any:
    """The pydantic model inside Optional[...] and list[...]."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next(filter(None, map(_model_in, typing.get_args(annotation))), None)


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
