"""Checks that YAML holds only what JSON has too: texts as keys, each once, and no dates."""

from __future__ import annotations

import yaml

_TAG = "tag:yaml.org,2002:"
_UNLIKE_JSON = {"timestamp": "a date", "binary": "bytes", "set": "a set", "omap": "an ordered map", "pairs": "pairs"}
"""Values that YAML has and JSON does not have, by tag."""


class NotPlain(Exception):
    """A YAML file has a value that JSON does not have. The message says what, and what to write."""

    def __init__(self, node: yaml.Node, message: str) -> None:
        super().__init__(message)
        self.line: int = node.start_mark.line + 1
        """The line of the value, counted from 1."""


def check_plain(tree: yaml.Node | None) -> None:
    """Check all values below a node. Raises `NotPlain`.

    YAML reads `on`, `no` and `12:30` as true, false and 750, and takes the last of two values with the same key.
    """
    waiting, seen = [tree] if tree else [], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        kind = node.tag.removeprefix(_TAG)
        if kind in _UNLIKE_JSON:
            raise NotPlain(node, f"YAML reads this as {_UNLIKE_JSON[kind]}: put it in quotes if it is a text")
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            waiting += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif kind in ("int", "float") and ":" in node.value:
            raise NotPlain(node, f"YAML reads {node.value} as a number to the base of 60: put it in quotes")


def _check_keys(node: yaml.MappingNode) -> None:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise NotPlain(key, "a key has to be a text")
        if key.tag not in (f"{_TAG}str", f"{_TAG}merge"):
            raise NotPlain(key, f"YAML reads the key {key.value} as no text: put it in quotes")
        if key.value in lines:
            raise NotPlain(key, f"{key.value} is in line {lines[key.value]} already: remove one of the two")
        lines[key.value] = key.start_mark.line + 1
