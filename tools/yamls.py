"""The YAML files of a configuration."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

Location = tuple[str | int, ...]
"""Where something stands in a file: keys and positions from the top."""
Finding = tuple[Location, str]
"""A mistake, and where it is."""


class ConfigError(Exception):
    """What is wrong in the configuration, one finding per line: `file:line: ...`."""


def config_files(path: Path) -> list[Path]:
    """A file and those that it names as sub-agents, each once."""
    found = [path]
    for file in found:
        for entry in (read_mapping(file) or {}).get("sub_agents") or []:
            name = entry.get("config_path") if isinstance(entry, dict) else None
            if isinstance(name, str) and file.parent / name not in found:
                found.append(file.parent / name)
    return found


def parse(text: str) -> tuple[yaml.Node | None, Any]:
    """What a text of YAML says: as nodes, which know their lines, and as data. By libyaml, where it is there.

    Raises:
        yaml.YAMLError: it is no YAML.
    """
    fast: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.compose(text, fast), yaml.load(text, fast)
    except yaml.YAMLError:  # PyYAML's own parser says better what is wrong
        return yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)


def read_mapping(path: Path) -> dict[str, Any] | None:
    """The file's mapping, or none if it cannot be read or is none."""
    try:
        _, data = parse(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError):
        return None
    return data if isinstance(data, dict) else None


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A hint at the nearest known name, if one is near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f", did you mean `{near[0]}`?" if near else ""
