"""Reads the metadata of documents, and filters documents by them: `author = "Robert Graves" AND year >= 1934`.

A filter compares keys with values by =, !=, <, <=, > or >=. OR binds more strongly than AND, as in AIP-160.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from interactions_emulator.errors import Refused
from interactions_emulator.limits import MAX_METADATA_ENTRIES
from interactions_emulator.requests.fields import field as read_field
from interactions_emulator.requests.fields import object_field, objects

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


def read_metadata(body: dict[str, Any]) -> tuple[list[dict[str, Any]], Metadata]:
    """Reads the custom metadata of a request. Returns the entries as they were sent, and their values by key."""
    sent = objects(body, "customMetadata")
    if len(sent) > MAX_METADATA_ENTRIES:
        raise Refused(400, f"customMetadata has at most {MAX_METADATA_ENTRIES} entries, not {len(sent)}")
    metadata: Metadata = {}
    for entry in sent:
        key = read_field(entry, "key")
        text, number = read_field(entry, "stringValue"), read_field(entry, "numericValue")
        texts = read_field(object_field(entry, "stringListValue"), "values")
        value = next((one for one in (text, number, texts) if one is not None), None)
        listed = value if isinstance(value, list) else []
        if (
            not isinstance(key, str)
            or not isinstance(value, str | int | float | list)
            or not all(isinstance(one, str) for one in listed)
        ):
            raise Refused(
                400, "customMetadata: each entry needs a key and a stringValue, numericValue or stringListValue"
            )
        metadata[key] = value
    return sent, metadata
