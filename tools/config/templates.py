"""Placeholders in instructions, which ADK fills in from the state of a session in each turn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_PLACEHOLDER = re.compile(r"(?<![${\\]){+[^{}]*}+")
"""As ADK 2.13 finds them (`flows/llm_flows/prompt/_instructions_utils.py`)."""
_PREFIXES = ("app", "user", "temp")


def placeholders(template: Any) -> Iterator[tuple[str, str]]:
    """What would fail the turns of a session that has no such state or file, and the way out.

    Nothing is in the state of a new session, so a text may only name what it can do without.

    Yields:
        The placeholder as it is written, and what is wrong with it.
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
    """Whether ADK looks it up; everything else in braces, such as JSON, stays as it is written."""
    prefix, colon, key = name.rpartition(":")
    return key.isidentifier() and (prefix in _PREFIXES if colon else True)
