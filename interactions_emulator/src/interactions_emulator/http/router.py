"""Finds the operation for a path and method.

A route is a path without its version, such as `interactions/{id}/cancel` or `models/{id}:generateContent`. A request's
path begins with any version, or with a version and `projects/{project}/locations/{location}` as on Vertex AI, where
models also have `publishers/google` before them. A path of uploads begins with `upload/`, before the version.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from interactions_emulator.faults.fault import Fault
from interactions_emulator.http.call import Call
from interactions_emulator.http.responses import Answer

Action = Callable[[Fault | None], Answer]
"""Carries out a request, with the fault that was set for such a request. Raises `Refused`."""
Operation = Callable[[Call], Action]
"""Checks a request, and returns the action that carries it out. Raises `Refused`."""


class Route(NamedTuple):
    """An operation, and the kind that the log and the faults give its requests."""

    kind: str
    operation: Operation


Table = Mapping[str, Mapping[str, Route]]
"""Maps paths to the routes of each HTTP method."""


class Found(NamedTuple):
    """The routes of a path, by HTTP method, and the ids in the path."""

    collection: str
    """The first word of the path, such as `interactions`; `upload/files` for an upload."""
    ids: tuple[str, ...]
    methods: Mapping[str, Route]


MAX_CACHED_PATHS = 1_000
_PREFIX = re.compile(
    r"/(?!_emulator/)(upload/)?[^/]+(?:/projects/[^/]+/locations/[^/]+)?(?:/publishers/google)?/([A-Za-z]+)(.*)",
    re.DOTALL,
)
_PLACEHOLDER = re.compile(r"\\\{\w+\\\}")


class Routes:
    """The routes of all tables."""

    def __init__(self, *tables: Table) -> None:
        self.find = lru_cache(MAX_CACHED_PATHS)(self._find)
        """Returns the routes of a path, None if there are none."""
        self._collections: dict[str, list[tuple[re.Pattern[str], Mapping[str, Route]]]] = {}
        for table in tables:
            for path, methods in table.items():
                collection, rest = re.fullmatch(r"((?:upload/)?\w+)(.*)", path).groups()  # type: ignore[union-attr]
                pattern = re.compile(_PLACEHOLDER.sub("([^/:]+)", re.escape(rest)))
                self._collections.setdefault(collection, []).append((pattern, methods))

    def _find(self, path: str) -> Found | None:
        prefix = _PREFIX.fullmatch(path)
        if prefix is None:
            return None
        collection = (prefix[1] or "") + prefix[2]
        for pattern, methods in self._collections.get(collection, ()):
            if match := pattern.fullmatch(prefix[3]):
                return Found(collection, match.groups(), methods)
        return None
