"""Parses YAML text to plain data, and refuses octal numbers, duplicate keys, and keys that are not texts."""

from __future__ import annotations

import copy
import math
import re
from functools import lru_cache
from typing import Any

import yaml

from tools.yaml_files.limits import check_size, mistake

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml if it is installed: ten times as fast
_OCTAL = re.compile(r"[-+]?0[0-7_]+")
"""Matches an integer of YAML 1.1 whose leading zero makes it octal."""
_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"


def parse(text: str) -> tuple[yaml.Node | None, Any]:
    """Parses YAML text; returns its nodes, which have line numbers, and its data.

    Raises:
        yaml.YAMLError: the text is not YAML, or not plain data within the limits.
    """
    tree, data = _parsed(text)
    return tree, copy.deepcopy(data)


@lru_cache(maxsize=16)  # to load the five agents of the desk, their files are parsed 50 times
def _parsed(text: str) -> tuple[yaml.Node | None, Any]:
    check_size(yaml.parse(text, _LOADER))
    tree = yaml.compose(text, _LOADER)
    _check_keys(tree)
    return tree, None if tree is None else _Constructor().construct_document(tree)


class _Constructor(yaml.constructor.SafeConstructor):
    """PyYAML's constructor, but every error (a date in month 13, for example) names its line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if isinstance(node, yaml.ScalarNode) and node.tag in (_INT, _FLOAT) and ":" in node.value:
            raise mistake(
                f"`{node.value:.40}` would be a number to the base of 60: put it in quotes if it is a text", node
            )
        if isinstance(node, yaml.ScalarNode) and node.tag == _INT and _OCTAL.fullmatch(node.value):
            raise mistake(f"`{node.value:.40}` would be a number to the base of 8: remove the zero at its front", node)
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, float) and not math.isfinite(value):
                raise mistake(f"`{node.value!s:.40}` is not a finite number: write one in digits", node)
            return value
        except (ValueError, KeyError, AttributeError, TypeError):
            kind = node.tag.rpartition(":")[2]
            shown = f"{node.value!s:.40}"
            raise mistake(f"`{shown}` is not a valid {kind}: put it in quotes if it is a text", node) from None


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
                    raise mistake(f"{shown} is not a text: put it in quotes if it is meant as one", key)
                if key.value in names:
                    raise mistake(f"`{key.value}` stands here twice", key)
                names.add(key.value)
                todo.append(value)
        elif isinstance(node, yaml.SequenceNode):
            todo += node.value
