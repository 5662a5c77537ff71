"""Reads YAML files: returns plain data, or raises an error that names the file and the line."""

from __future__ import annotations

import codecs
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.errors import DeskError
from tools.files.regular_file import regular_size
from tools.yaml_files.limits import MAX_BYTES
from tools.yaml_files.plain_data import parse
from tools.yaml_files.syntax_advice import syntax_mistake

Location = tuple[str | int, ...]
"""Path to a value in a file: keys and list positions from the top."""
Finding = tuple[Location, str]
"""A mistake in a file: its location and its description."""
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r"))
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class ConfigError(DeskError):
    """The configuration is wrong. The text has one finding per line: `file:line: ...`."""


@dataclass(frozen=True)
class Document:
    """A parsed YAML file."""

    path: Path
    text: str
    tree: yaml.Node | None
    """Nodes with their line numbers; None if the file is empty."""
    data: Any
    """Mappings (with strings as keys), lists and scalars."""

    def line(self, location: Location) -> int:
        """Returns the line, counted from 1, of a location, or of its nearest existing parent."""
        return _place(self.tree, location)[0]

    def line_of(self, location: Location, words: str) -> int:
        """Returns the line of the first `words` in the node at a location; if there are none, its first line."""
        first, node = _place(self.tree, location)
        if node is None:
            return first
        lines = self.text.splitlines()[: node.end_mark.line + 1]
        return next((i for i, line in enumerate(lines, 1) if i >= first and words in line), first)


def read_yaml(path: Path) -> Document:
    """Reads and parses a file.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or is not plain data within the limits.
    """
    try:
        regular_size(path)
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{str(path)!r}: no name of a file") from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path}:1: more than {MAX_BYTES} bytes: split the file, or remove what is not a setting")
    if not raw.startswith(_UTF16) and len(raw.translate(None, _CONTROLS)) < 0.9 * len(raw):
        raise ConfigError(f"{path}:1: a binary file, not YAML: name the right one")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8: save the file in that encoding") from None
    try:
        tree, data = parse(text)
    except yaml.MarkedYAMLError as error:
        line, words = syntax_mistake(error, text)
        raise ConfigError(f"{path}:{line}: {words}") from None
    except yaml.reader.ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        raise ConfigError(f"{path}:{line}: a character that YAML does not have ({error.reason})") from None
    return Document(path, text, tree, data)


def read_mapping(path: Path) -> dict[str, Any] | None:
    """Returns the mapping in a file; None if the file cannot be read or is not a mapping."""
    try:
        data = read_yaml(path).data
    except ConfigError:
        return None
    return data if isinstance(data, dict) else None


def config_files(path: Path) -> list[Path]:
    """Lists an agent's file and, recursively, the files of its sub-agents, each once."""
    found = [path]
    for file in found:
        for entry in entries((read_mapping(file) or {}).get("sub_agents")):
            if isinstance(name := entry.get("config_path"), str):
                named = Path(os.path.normpath(file.parent / name))
                found += [named] if named not in found else []
    return found


def is_file(path: Path) -> bool:
    """Whether there is a regular file at a path; false for names that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_below(folder: Path, file: Path) -> bool:
    """Whether a file is in a folder or below it, which ADK requires."""
    return Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder))


def entries(value: Any) -> list[dict[str, Any]]:
    """Returns the mappings in a list; empty if the value is not a list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def mapping(value: Any) -> dict[str, Any]:
    """Returns a mapping unchanged, and {} for any other value, which the schema refuses."""
    return value if isinstance(value, dict) else {}


def _place(node: yaml.Node | None, location: Location) -> tuple[int, yaml.Node | None]:
    """Returns the line of the deepest existing node on the path to a location, and that node."""
    line = node.start_mark.line if node else 0
    for step in location:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in reversed(node.value) if k.value == step), None)
            if pair is None:  # pydantic puts the type of a tool into the path
                continue
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
    return line + 1, node
