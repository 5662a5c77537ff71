"""Limits of a YAML file: its bytes, its values and its levels of nesting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

MAX_BYTES, MAX_NODES, MAX_DEPTH = 1_000_000, 50_000, 50
"""Limits of one file. Nodes are counted with aliases expanded: nine lines of YAML can expand to a billion nodes."""


def check_size(events: Iterable[yaml.Event]) -> None:
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
                raise mistake(f"`*{event.anchor}` refers to a value that contains it", event)
            total += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
        if total > MAX_NODES:
            raise mistake(f"more than {MAX_NODES} values, with aliases expanded", event)
        if len(open_) > MAX_DEPTH:
            raise mistake(f"more than {MAX_DEPTH} levels of nesting", event)


def mistake(problem: str, place: Any) -> yaml.MarkedYAMLError:
    """Returns PyYAML's error with a text of our own, at the place of a node or an event."""
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)
