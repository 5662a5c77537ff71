"""Checks the tree of agents: repeated names, files and classes, and agents below themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.yaml_files.reading import entries, read_yaml

Agents = Mapping[Path, Mapping[str, Any]]
"""The mapping in the file of each agent; empty if there is none."""


def repeated_names(agents: Agents) -> Iterator[str]:
    """Yields a finding for each agent that has the name of another: a handover by that name would be ambiguous."""
    seen: dict[str, Path] = {}
    for file, data in agents.items():
        name = data.get("name")
        if isinstance(name, str) and seen.setdefault(name, file) != file:
            line = read_yaml(file).line(("name",))
            yield f"{file}:{line}: `{name}` is also the name of the agent in {seen[name].name}: choose another"


def repeated_files(agents: Agents) -> Iterator[str]:
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


def repeated_classes(agents: Agents) -> Iterator[str]:
    """Yields a finding for each further researcher or moderator: commands and the gate use the first one's file."""
    seen: dict[str, Path] = {}
    for file, data in agents.items():
        kind = str(data.get("agent_class")).rpartition(".")[2]
        if kind in ("Researcher", "Moderator") and seen.setdefault(kind, file) != file:
            line = read_yaml(file).line(("agent_class",))
            yield f"{file}:{line}: {seen[kind].name} is a {kind} already, and only one is allowed: remove one"


def circles(path: Path, agents: Agents, above: tuple[Path, ...]) -> Iterator[str]:
    """Yields a finding for each agent that is its own sub-agent, directly or below other sub-agents."""
    for i, entry in enumerate(entries(agents.get(path, {}).get("sub_agents"))):
        if isinstance(name := entry.get("config_path"), str):
            named = Path(os.path.normpath(path.parent / name))
            if named in (*above, path):
                line = read_yaml(path).line(("sub_agents", i, "config_path"))
                yield f"{path}:{line}: `{name}` is its own sub-agent: remove it from `sub_agents`"
            else:
                yield from circles(named, agents, (*above, path))
