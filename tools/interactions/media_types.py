"""Media types. They are compared as RFC 9110 says: without case and without parameters."""

from __future__ import annotations

import re

_CHARSET = re.compile(r';\s*charset\s*=\s*"?((?:utf|us|iso|windows|koi8|gb|big5|shift|euc)[\w-]*)', re.IGNORECASE)
"""Matches text encodings only: Python's `punycode` takes quadratic time, and `unicode_escape` interprets escapes."""
_TEXT = re.compile(
    r"text/.*|.*\+(?:json|xml|yaml)"
    r"|application/(?:json|json5|x-?ndjson|jsonl|xml|yaml|x-yaml|toml|sql|javascript|x-javascript|x-sh|rtf)"
)


def media_type(value: str | None) -> str:
    """Returns `type/subtype` in lower case; empty if there is none."""
    return (value or "").partition(";")[0].strip().lower()


def is_text(value: str | None) -> bool:
    """Whether files of this media type are human-readable text."""
    return _TEXT.fullmatch(media_type(value)) is not None


def decode_text(data: bytes, value: str | None) -> str:
    """Decodes a text file with the charset that its media type names, or else as UTF-8. Invalid bytes are replaced."""
    charset = found[1] if (found := _CHARSET.search(value or "")) else "utf-8"
    try:
        return data.decode(charset, "replace")
    except LookupError:  # unknown charset
        return data.decode("utf-8", "replace")
