"""Warns of files that are not read, of secrets and cut texts in a file, and of models that are not known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from tools.config.placeholders import PROSE
from tools.interactions.model_catalog import capabilities_of, known_names
from tools.moderation.policy import FILE_NAME
from tools.text.did_you_mean import did_you_mean
from tools.yaml_files.environment_references import VARIABLE
from tools.yaml_files.reading import ConfigError, Location, config_files, entries, read_mapping, read_yaml

MODEL_KEYS = ("model", "agent", "max_agent", "follow_up_model")
SECRET_HEADER = re.compile(r"(?i)authorization|cookie|key|token|secret")
"""Names of HTTP headers whose values are secrets."""
_COMMENT_START = re.compile(r"\s*(#[^\s#]+)")
"""Matches the first word of a comment, after spaces."""


def inline_secrets(files: Sequence[Path]) -> Iterator[str]:
    """Yields a warning for each secret in a file that should be in an environment variable."""
    for file in files:
        data = read_mapping(file) or {}
        for key in ("server_tools", "research_tools"):
            for i, entry in enumerate(entries(data.get(key))):
                headers = entry.get("headers")
                for name, value in headers.items() if isinstance(headers, dict) else ():
                    if SECRET_HEADER.search(name) and not VARIABLE.search(str(value)):
                        yield _written(file, (key, i, "headers", name))
        targets = data.get("notify")
        for name, entry in targets.items() if isinstance(targets, dict) else ():
            if isinstance(entry, dict) and (secret := entry.get("secret")) and not VARIABLE.search(str(secret)):
                yield _written(file, ("notify", name, "secret"))


def _written(file: Path, location: Location) -> str:
    place = f"{file}:{read_yaml(file).line(location)}"
    return (
        f"{place}: `{location[-1]}` has the secret itself: put it into an environment variable, and write `${{NAME}}`"
    )


def cut_texts(files: Sequence[Path]) -> Iterator[str]:
    """Yields a warning for each text without quotes that ends at a word such as ` #tag`, which begins a comment."""
    for file in files:
        try:
            document = read_yaml(file)
        except ConfigError:  # the check of the agents reports it
            continue
        pairs = document.tree.value if isinstance(document.tree, yaml.MappingNode) else ()
        for key, value in pairs:
            if key.value in PROSE and isinstance(value, yaml.ScalarNode) and not value.style:
                end = value.end_mark
                if cut := _COMMENT_START.match(document.text.splitlines()[end.line][end.column :]):
                    what = f"`{key.value}` ends before `{cut.group(1)}`, which begins a comment"
                    yield f"{file}:{end.line + 1}: {what}: put the text in quotes"


def unnamed_agents(path: Path) -> list[str]:
    """Returns a warning for each agent beside the root agent's file that no agent names as its sub-agent.

    A file with sub-agents of its own counts as another root.
    """
    named = config_files(path)
    return [
        f"{file}: not read: add `- config_path: {file.name}` to the `sub_agents` of {path.name}"
        for file in sorted(path.parent.glob("*.y*ml"))
        if file not in named
        and (data := read_mapping(file) or {}).keys() >= {"name", "instruction"}
        and "sub_agents" not in data
    ]


def misnamed_files(path: Path) -> Iterator[str]:
    """Yields a warning for each file beside the root agent's file that has almost the name of a file that is missing.

    Without `moderation_policy.yaml` moderation is off, and without `models.yaml` the shipped one is used.
    """
    missing = [name for name in (FILE_NAME, "models.yaml") if not path.with_name(name).exists()]
    agents = config_files(path)
    for file in sorted(path.parent.glob("*.y*ml")):
        if file not in agents and (near := did_you_mean(file.name, missing, fold=True, cutoff=0.8)):
            yield f"{file}: not read{near}"


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
