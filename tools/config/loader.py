"""Loads agents from YAML with ADK's own loader, after a check whose errors name file, line and the likely fix.

The files are plain ADK agent configs, with ADK's keys. `google.adk.agents.config_agent_utils.from_config` (2.13)
reports a mistake without its line, and accepts some mistakes, so each file is checked first.
"""

from __future__ import annotations

import logging
import os
import re
import types
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from google.adk.agents import BaseAgent, LlmAgent, config_agent_utils
from google.adk.models import Gemini, LLMRegistry
from pydantic import BaseModel, ValidationError

from tools.adk.generation_config import SUPPORTED_KEYS
from tools.adk.model import InteractionsLlm
from tools.config.api_checks import object_named, validate
from tools.config.instruction_placeholders import placeholders
from tools.config.references import no_such, unusable
from tools.interactions.model_catalog import ToolType, capabilities_of, known_names
from tools.research.settings import ResearchSettings
from tools.text.did_you_mean import did_you_mean
from tools.yaml_files.field_errors import explain
from tools.yaml_files.reading import (
    ConfigError,
    Finding,
    Location,
    config_files,
    entries,
    is_file,
    read_mapping,
    read_yaml,
)

log = logging.getLogger(__name__)

MODEL_KEYS = ("model", "agent", "max_agent", "follow_up_model")
REFERENCES = ("model_code", "output_schema", "input_schema")
TRANSFER_KEYS = ("disallow_transfer_to_parent", "disallow_transfer_to_peers")
TEMPLATES = ("instruction", "global_instruction")
"""Keys with texts whose placeholders ADK fills in from the session state."""
Agents = Mapping[Path, Mapping[str, Any]]
"""The mapping in the file of each agent; empty if there is none."""


def load_agent(path: Path) -> BaseAgent:
    """Loads the agent of a YAML file, with its sub-agents.

    Raises:
        ConfigError: one of the files is wrong.
    """
    if not is_file(path):
        wrong = "it is no file" if os.path.lexists(path) else "there is no such file"
        raise ConfigError(f"{path}: {wrong}: DESK_CONFIG names the root agent's YAML file")
    files = [file for file in config_files(path) if file == path or (is_file(file) and _is_below(path.parent, file))]
    problems = [problem for file in files for problem in check(file, root=file == path)]
    agents = {file: read_mapping(file) or {} for file in files}
    problems += [
        *_repeated_names(agents),
        *_repeated_files(agents),
        *_circles(path, agents, ()),
        *_repeated_classes(agents),
    ]
    if problems:
        raise ConfigError("\n".join(problems))
    for warning in unknown_models(files):
        log.warning(warning)
    with warnings.catch_warnings():  # ADK 2.13 warns on each load that the config classes are deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "deferred is not a valid ServiceTier", UserWarning)
        try:
            agent = config_agent_utils.from_config(str(path))
        except Exception as error:  # an error that only ADK finds, or that an imported module raises
            raise ConfigError(_adk_error(files, error)) from error
    assert isinstance(agent, BaseAgent)
    return agent


def _adk_error(files: Sequence[Path], error: Exception) -> str:
    """Describes an error of ADK's own loader, with the file that has the mistake, and the line if the error has one."""
    file = files[0]
    for file in reversed(files):  # sub-agents first: ADK does not say whose file is wrong
        try:
            config_agent_utils.from_config(str(file))
        except Exception as own:
            error = own
            break
    if not isinstance(error, ValidationError):
        return f"{file}: {' '.join(str(error).split())}"
    first = error.errors()[0]
    key = f"`{first['loc'][0]}`: " if first["loc"] else ""
    return f"{file}:{read_yaml(file).line(first['loc'])}: {key}{explain(first)}"


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


def _repeated_names(agents: Agents) -> Iterator[str]:
    """Yields a finding for each agent that has the name of another: a handover by that name would be ambiguous."""
    seen: dict[str, Path] = {}
    for file, data in agents.items():
        name = data.get("name")
        if isinstance(name, str) and seen.setdefault(name, file) != file:
            line = read_yaml(file).line(("name",))
            yield f"{file}:{line}: `{name}` is also the name of the agent in {seen[name].name}: choose another"


def _repeated_files(agents: Agents) -> Iterator[str]:
    """Yields a finding for each sub-agent's file that is named before: an agent has one place in the tree."""
    seen: dict[Path, str] = {}
    for file, data in agents.items():
        for i, entry in enumerate(entries(data.get("sub_agents"))):
            if isinstance(name := entry.get("config_path"), str):
                line = read_yaml(file).line(("sub_agents", i, "config_path"))
                place = f"{file.name}:{line}"
                before = seen.setdefault(Path(os.path.normpath(file.parent / name)), place)
                if before != place:
                    yield f"{file}:{line}: `{name}` is a sub-agent already, in {before}: remove one of the two"


def _repeated_classes(agents: Agents) -> Iterator[str]:
    """Yields a finding for each further researcher or moderator: commands and the gate use the first one's file."""
    seen: dict[str, Path] = {}
    for file, data in agents.items():
        kind = str(data.get("agent_class")).rpartition(".")[2]
        if kind in ("Researcher", "Moderator") and seen.setdefault(kind, file) != file:
            line = read_yaml(file).line(("agent_class",))
            yield f"{file}:{line}: {seen[kind].name} is a {kind} already, and only one is allowed: remove one"


def _circles(path: Path, agents: Agents, above: tuple[Path, ...]) -> Iterator[str]:
    """Yields a finding for each agent that is its own sub-agent, directly or below other sub-agents."""
    for i, entry in enumerate(entries(agents.get(path, {}).get("sub_agents"))):
        if isinstance(name := entry.get("config_path"), str):
            named = Path(os.path.normpath(path.parent / name))
            if named in (*above, path):
                line = read_yaml(path).line(("sub_agents", i, "config_path"))
                yield f"{path}:{line}: `{name}` is its own sub-agent: remove it from `sub_agents`"
            else:
                yield from _circles(named, agents, (*above, path))


def unknown_models(files: Sequence[Path]) -> list[str]:
    """Returns a warning for each model or agent of the API that these files name and `models.yaml` does not."""
    known, found = [*known_names("model"), *known_names("agent")], dict[str, str]()
    for file in files:
        data = read_mapping(file) or {}
        for key in MODEL_KEYS:
            given = data.get(key)
            name = given.rpartition(":")[2] if isinstance(given, str) else ""
            if name and name not in found and capabilities_of(name) is None:
                why = "is not in models.yaml, so its tools and settings are not checked"
                found[name] = f"{file}:{read_yaml(file).line((key,))}: `{name}` {why}{did_you_mean(name, known)}"
    return list(found.values())


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
    except AttributeError:  # the SDK's enums cannot take `off`, which YAML reads as false: `validate` reports it
        pass
    except ValidationError as error:
        for entry in error.errors(include_url=False):
            if entry["loc"][:1] != ("static_instruction",):
                reported.add(entry["loc"])
                yield _schema_finding(schema, entry)
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
    yield from (finding for finding in validate(data) if finding[0] not in reported)
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


def _schema_finding(schema: type[BaseModel], entry: Mapping[str, Any]) -> Finding:
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


def _missing_files(data: dict[str, Any], folder: Path) -> Iterator[Finding]:
    for i, entry in enumerate(entries(data.get("sub_agents"))):
        name = entry.get("config_path")
        if not isinstance(name, str):
            if isinstance(entry.get("code"), str) and (wrong := unusable("code", entry["code"])):
                yield ("sub_agents", i, "code"), wrong
        elif not _is_below(folder, folder / name.replace("\0", "")):
            yield ("sub_agents", i, "config_path"), f"`{name}` is outside of {folder}: move the file into that folder"
        elif not is_file(folder / name):
            if os.path.lexists(folder / name):
                yield ("sub_agents", i, "config_path"), f"`{name}` is no file, nor a link to one: name an agent's file"
                continue
            near = did_you_mean(name, [file.name for file in folder.glob("*.y*ml")])
            yield ("sub_agents", i, "config_path"), f"no file `{name}`{near}"


def _is_below(folder: Path, file: Path) -> bool:
    """Whether a file is in a folder or below it, which ADK requires."""
    return Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder))


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


def _entry_key(location: Location) -> str:
    """The key that an entry of a list begins with; empty if the value is no such list."""
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
