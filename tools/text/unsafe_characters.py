"""Makes text from outside safe for databases, files and terminals. Call it once, where the text enters.

PostgreSQL cannot store U+0000, files and sockets reject lone surrogates, and terminals execute control characters.
"""

from __future__ import annotations

import re
from typing import Any

_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Lone surrogates, and all control characters except tab, line feed and carriage return."""
_REPLACEMENTS = (
    (re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"), "?"),
    (re.compile("[\x80-\x9f]"), "??"),
    (re.compile("[\ud800-\udfff]"), "\ufffd"),
)
"""The texts that replace unsafe characters of one, two and three bytes of UTF-8."""
_PIECE_CHARS = 100_000
_DIRECTION_MARKS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Embeddings, overrides and isolates of text direction."""
_UNSAFE_ESCAPE = re.compile(r"\\[ubf]")
"""JSON escapes of a code unit, a backspace and a form feed."""


def sanitize(text: str) -> str:
    """Replaces each unsafe character of a text: a control character by one `?` per byte, a lone surrogate by U+FFFD.

    The number of UTF-8 bytes stays the same, so that citation offsets stay valid.
    """
    if not _UNSAFE.search(text):
        return text
    # In pieces, because `re` lets no other thread run during a substitution.
    return "".join(_replaced(text[start : start + _PIECE_CHARS]) for start in range(0, len(text), _PIECE_CHARS))


def sanitized_text(value: object) -> str:
    """Sanitizes a string; returns an empty text for any other value."""
    return sanitize(value) if isinstance(value, str) else ""


def sanitize_json(value: Any) -> Any:
    """Copies JSON data with every string sanitized, keys included; tuples become lists."""
    match value:
        case str():
            return sanitize(value)
        case dict():
            return {sanitize_json(key): sanitize_json(inner) for key, inner in value.items()}
        case list() | tuple():
            return [sanitize_json(inner) for inner in value]
    return value


def without_direction_marks(text: str) -> str:
    """Removes characters that show the letters after them in the other direction, as "exe.pdf" for "fdp.exe"."""
    return _DIRECTION_MARKS.sub("", text)


def may_be_unsafe(json_text: str) -> bool:
    """Whether a JSON text has an unsafe character, or an escape that may mean one. Most texts have neither."""
    return _UNSAFE.search(json_text) is not None or _UNSAFE_ESCAPE.search(json_text) is not None


def _replaced(text: str) -> str:
    for characters, replacement in _REPLACEMENTS:
        text = characters.sub(replacement, text)
    return text
