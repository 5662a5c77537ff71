"""Checks placeholders: `{name}`, which ADK fills in from the session state in each turn, and `${NAME}`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tools.yaml_files.environment_references import VARIABLE
from tools.yaml_files.reading import Finding, Location

_PLACEHOLDER = re.compile(r"(?<![${\\]){+[^{}]*}+")
"""Finds placeholders as ADK 2.13 does (`flows/llm_flows/prompt/_instructions_utils.py`)."""
_PREFIXES = ("app", "user", "temp")
_DOLLAR = re.compile(r"\$\{[^}]*\}?|\$[A-Za-z_]\w*")
PROSE = ("description", "instruction", "global_instruction", "static_instruction")
"""Keys with texts for a model, which may contain `$`."""


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


def unfilled(value: Any, location: Location = ()) -> Iterator[Finding]:
    """Yields a finding for each `$NAME` that would be sent as it is."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from unfilled(each, (*location, key))
    elif isinstance(value, str):
        filled = "headers" in location or location[:1] == ("notify",)
        if found := _DOLLAR.search(VARIABLE.sub("", value) if filled else value):
            way = "write `${NAME}`" if filled else "write the value itself (only `headers` and `notify` take `${NAME}`)"
            yield location, f"`{location[-1]}`: `{found.group()}` is not replaced by a variable's value: {way}"
