"""Text from outside, made safe for databases, files and terminals once, where it enters.

PostgreSQL keeps no U+0000, no file or socket takes a lone surrogate, and a terminal obeys control characters.
"""

from __future__ import annotations

import re
from typing import Any

_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""All control characters but tab, line feed and carriage return; surrogates without their other half."""


def sanitize(text: str) -> str:
    """The text with each unsafe character replaced.

    A replacement has as many bytes in UTF-8 as what it stands for, so offsets of citations stay right: `?` for each
    byte of a control character, U+FFFD for a lone surrogate.
    """
    return _UNSAFE.sub(_replacement, text)


def sanitize_json(value: Any) -> Any:
    """A copy of JSON data in which every string is sanitized, keys included; tuples become lists."""
    match value:
        case str():
            return sanitize(value)
        case dict():
            return {sanitize_json(key): sanitize_json(inner) for key, inner in value.items()}
        case list() | tuple():
            return [sanitize_json(inner) for inner in value]
    return value


def _replacement(found: re.Match[str]) -> str:
    character = found[0]
    return "\ufffd" if character >= "\ud800" else "?" * len(character.encode())
