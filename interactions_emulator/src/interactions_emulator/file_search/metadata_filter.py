"""Filters documents by their metadata: `author = "Robert Graves" AND year >= 1934`.

A filter compares keys with values by =, !=, <, <=, > or >=. OR binds more strongly than AND, as in AIP-160.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from interactions_emulator.errors import Refused

Metadata = dict[str, str | float | list[str]]
Filter = Callable[[Metadata], bool]

_COMPARISON = re.compile(r"\s*([\w.-]+)\s*(!=|<=|>=|=|<|>)\s*(\"[^\"]*\"|'[^']*'|[\w.+-]+)\s*")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def parse_filter(text: str) -> Filter:
    """Return the filter that a text describes. Raises `Refused` (400)."""
    groups = [[_comparison(part, text) for part in _split(group, "OR")] for group in _split(text, "AND")]
    return lambda metadata: all(any(one(metadata) for one in group) for group in groups)


def _split(text: str, word: str) -> list[str]:
    """The parts of a text between a word that is not within quotation marks."""
    return re.split(rf"\b{word}\b(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", text)


def _comparison(text: str, whole: str) -> Filter:
    found = _COMPARISON.fullmatch(text)
    if found is None:
        raise Refused(
            400,
            f"metadata_filter {whole!r} cannot be read at {text.strip()!r}: write comparisons such as"
            ' author = "Robert Graves" AND year >= 1934',
        )
    key, compare, value = found[1], _OPERATORS[found[2]], found[3].strip("\"'")

    def matches(metadata: Metadata) -> bool:
        if key not in metadata:
            return False
        given = metadata[key]
        if isinstance(given, list):
            return any(compare(one, value) for one in given)
        if isinstance(given, str):
            return compare(given, value)
        try:
            return compare(given, float(value))
        except ValueError:
            return False

    return matches
