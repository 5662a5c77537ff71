"""Reads YAML files: returns plain data, or raises an error that names the file and the line."""

from __future__ import annotations

import codecs
import copy
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from tools.errors import DeskError
from tools.files.regular_file import regular_size
from tools.text.secret_redaction import redact

Location = tuple[str | int, ...]
"""Path to a value in a file: keys and list positions from the top."""
Finding = tuple[Location, str]
"""A mistake in a file: its location and its description."""
MAX_BYTES, MAX_NODES, MAX_DEPTH = 1_000_000, 50_000, 50
"""Limits of one file. Nodes are counted with aliases expanded: nine lines of YAML can expand to a billion nodes."""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml if it is installed: ten times as fast
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r"))
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_OPEN_QUOTE = re.compile(r"""\s*(?:- )?(?:[\w-]+:\s+)?(["'])(?:(?!\1).)*$""")
"""Matches a line whose value, or list entry, begins with a quote that the line does not close."""
_HINTS = (
    ("mapping values are not allowed", r":\s.*:(\s|$)", "a value with a colon and a space: put it in quotes"),
    ("found another document", "", "`---` begins another file: remove it, or what follows it"),
    ("mapping values are not allowed", "", "not indented like its neighbours, or no space after a colon above"),
    ("cannot start any token", r"^\s*\t", "a tab: indent with spaces"),
    ("cannot start any token", "", "a value cannot begin with this character: put it in quotes"),
    ("undefined alias", "", "a value cannot begin with `*`: put it in quotes"),
    ("while scanning an a", "", "a value cannot begin with `&` or `*`: put it in quotes"),
    ("could not determine a constructor", "", "a value cannot begin with `!`: put it in quotes"),
    ("unknown escape character", "", "a backslash in double quotes: use single quotes"),
    ("did not find expected key", "'", "a quote in a quoted value: put it in double quotes, or write it twice"),
    ("could not find expected ':'", "", "a line above is neither `key: value` nor indented as a text"),
    ("block sequence entries are not allowed", "", "begin a list on the line after its key"),
    ("while parsing a flow", "", "a bracket that is opened here or above is not closed"),
)
"""Advice about PyYAML's most common errors: words of the error, pattern of the line, advice."""
_PATTERNS = {
    r"^\w+$": "write letters, digits and _",
    r"^[\w-]+$": "write letters, digits, _ and -",
    r"^fileSearchStores/[a-z0-9-]+$": "write the store's name, fileSearchStores/ID, whose ID has a-z, 0-9 and -",
    r"^https?://": "write an address that begins with https:// or http://",
}
"""Patterns of fields, in words."""
_OCTAL = re.compile(r"[-+]?0[0-7_]+")
"""Matches an integer of YAML 1.1 whose leading zero makes it octal."""
_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"


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
        mark = error.problem_mark or error.context_mark
        line = min(mark.line + 1 if mark else 1, len(text.splitlines()) or 1)  # libyaml may name a line after the last
        if opened := _unclosed_quote(text, line):
            raise ConfigError(f"{path}:{opened}: a quote that is opened here is not closed") from None
        words = ", ".join(filter(None, (error.context, error.problem)))
        written = (text.splitlines() or [""])[line - 1]
        hint = next((hint for said, like, hint in _HINTS if said in words and re.search(like, written)), "")
        raise ConfigError(f"{path}:{line}: {f'{hint} ({words})' if hint else words}") from None
    except yaml.reader.ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        raise ConfigError(f"{path}:{line}: a character that YAML does not have ({error.reason})") from None
    return Document(path, text, tree, data)


def _unclosed_quote(text: str, line: int) -> int | None:
    """Returns the last line, up to the line of a syntax error, whose value has an opening quote and no closing one."""
    opened = (i for i, words in enumerate(text.splitlines()[:line], 1) if _OPEN_QUOTE.match(words))
    return max(opened, default=None)


def parse(text: str) -> tuple[yaml.Node | None, Any]:
    """Parses YAML text; returns its nodes, which have line numbers, and its data.

    Raises:
        yaml.YAMLError: the text is not YAML, or not plain data within the limits.
    """
    tree, data = _parsed(text)
    return tree, copy.deepcopy(data)


@lru_cache(maxsize=16)  # to load the five agents of the desk, their files are parsed 50 times
def _parsed(text: str) -> tuple[yaml.Node | None, Any]:
    _check_size(yaml.parse(text, _LOADER))
    tree = yaml.compose(text, _LOADER)
    _check_keys(tree)
    return tree, None if tree is None else _Constructor().construct_document(tree)


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


def entries(value: Any) -> list[dict[str, Any]]:
    """Returns the mappings in a list; empty if the value is not a list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def explain(error: Mapping[str, Any]) -> str:
    """Describes an entry of pydantic's `ValidationError.errors()` in words for a file of YAML."""
    kind, value = error["type"], error["input"]
    if kind in ("string_type", "literal_error", "enum") and not isinstance(value, str | dict | list | None):
        said = error["msg"] if kind != "string_type" else "has to be a text"
        return f"{said}; YAML reads this as {value!r}: put it in quotes"
    # A mapping may hold secrets, and so may an address.
    shown = "" if isinstance(value, dict) else f", not {redact(repr(value))[:200]}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"has to be a mapping, `key: value`{shown}"
    if kind in ("list_type", "tuple_type", "set_type", "frozen_set_type", "sequence_str") or (
        kind == "is_instance_of" and error["ctx"]["class"] == "Sequence"
    ):
        return f"has to be a list, one `- …` a line{shown}"
    if kind == "string_pattern_mismatch" and (meant := _PATTERNS.get(error["ctx"]["pattern"])):
        return f"{meant}{shown}"
    if kind in ("bool_parsing", "bool_type"):
        return f"has to be true or false{shown}"
    return str(error["msg"]).removeprefix("Value error, ") + shown


class _Constructor(yaml.constructor.SafeConstructor):
    """PyYAML's constructor, but every error (a date in month 13, for example) names its line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if isinstance(node, yaml.ScalarNode) and node.tag in (_INT, _FLOAT) and ":" in node.value:
            raise _error(
                f"`{node.value:.40}` would be a number to the base of 60: put it in quotes if it is a text", node
            )
        if isinstance(node, yaml.ScalarNode) and node.tag == _INT and _OCTAL.fullmatch(node.value):
            raise _error(f"`{node.value:.40}` would be a number to the base of 8: remove the zero at its front", node)
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, float) and not math.isfinite(value):
                raise _error(f"`{node.value!s:.40}` is not a finite number: write one in digits", node)
            return value
        except (ValueError, KeyError, AttributeError, TypeError):
            kind = node.tag.rpartition(":")[2]
            shown = f"{node.value!s:.40}"
            raise _error(f"`{shown}` is not a valid {kind}: put it in quotes if it is a text", node) from None


def _check_size(events: Iterable[yaml.Event]) -> None:
    """Checks the number of nodes and levels before any node is built, without recursion."""
    total, sizes = 0, dict[str | None, int]()
    open_: list[tuple[str | None, int]] = []  # of each open list or mapping: its anchor, and the nodes before it
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, total))
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            sizes[anchor] = total - before
        elif isinstance(event, yaml.AliasEvent):
            if any(event.anchor == anchor for anchor, _ in open_):
                raise _error(f"`*{event.anchor}` refers to a value that contains it", event)
            total += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
        if total > MAX_NODES:
            raise _error(f"more than {MAX_NODES} values, with aliases expanded", event)
        if len(open_) > MAX_DEPTH:
            raise _error(f"more than {MAX_DEPTH} levels of nesting", event)


def _check_keys(tree: yaml.Node | None) -> None:
    """Refuses keys that are not strings (numbers, dates, `on`) and duplicate keys, which YAML accepts silently."""
    todo, seen = [tree] if tree else [], set[int]()
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            names = set[str]()
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag not in (_TEXT, _MERGE):
                    shown = f"`{key.value}`" if isinstance(key, yaml.ScalarNode) else "a key"
                    raise _error(f"{shown} is not a text: put it in quotes if it is meant as one", key)
                if key.value in names:
                    raise _error(f"`{key.value}` stands here twice", key)
                names.add(key.value)
                todo.append(value)
        elif isinstance(node, yaml.SequenceNode):
            todo += node.value


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


def _error(problem: str, place: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)
