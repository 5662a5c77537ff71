"""Checks the placeholders in instructions, which ADK fills in from the session state in each turn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_PLACEHOLDER = re.compile(r"(?<![${\\]){+[^{}]*}+")
"""Finds placeholders as ADK 2.13 does (`flows/llm_flows/prompt/_instructions_utils.py`)."""
_PREFIXES = ("app", "user", "temp")


def placeholders(template: Any) -> Iterator[tuple[str, str]]:
    """Finds placeholders that make a turn fail if the session lacks that state or file.

    The state of a new session is empty, so a text may only use optional placeholders.

    Yields:
        The placeholder as it is written, and what is wrong with it and how to fix it.
    """
    for found in _PLACEHOLDER.finditer(template) if isinstance(template, str) else ():
        written = found.group()
        name = written.lstrip("{").rstrip("}").strip()
        what = "file" if name.startswith("artifact.") else "value"
        if not name.endswith("?") and (what == "file" or _is_state(name)):
            ways = f"`{{{name}?}}` for a {what} that may be missing, or `\\{{{name}}}` for the words themselves"
            yield (
                written,
                f"`{written}` comes from the session, and a turn fails where it is missing: write {ways}",
            )


def _is_state(name: str) -> bool:
    """Whether ADK looks the name up; other text in braces, such as JSON, stays unchanged."""
    prefix, colon, key = name.rpartition(":")
    return key.isidentifier() and (prefix in _PREFIXES if colon else True)
