"""Lists the pages that a run found or read, as its steps name them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tools.research.verification.addresses import canonical

_URL = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_FAILED = ("error", "unsafe")
"""Statuses of `url_context_result` for pages that were not read."""


def pages_of_run(steps: object) -> tuple[str, ...] | None:
    """Returns the canonical addresses in the results of a run's tools; None if the steps do not name them.

    The API (2.34) names the pages of `url_context_result`. A `google_search_result` usually has only suggestions for
    further searches; after such a search, the result is None. Never raises, whatever the steps are.
    """
    found = set[str]()
    for step in steps if isinstance(steps, list | tuple) else ():
        kind = str(step.get("type")) if isinstance(step, Mapping) else ""
        if not kind.endswith("_result") or step.get("is_error"):
            continue
        named = {canonical(url) for text in _texts(step.get("result")) for url in _URL.findall(text)}
        if kind == "google_search_result" and not named:
            return None
        found |= named
    return tuple(sorted(found)) or None


def _texts(result: Any) -> Iterator[str]:
    """All texts in a result, except of pages that were not read, and of suggestions for further searches."""
    left = [result]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            if value.get("status") not in _FAILED:
                left += (inner for key, inner in value.items() if key not in ("search_suggestions", "rendered_content"))
        elif isinstance(value, list | tuple):
            left += value
