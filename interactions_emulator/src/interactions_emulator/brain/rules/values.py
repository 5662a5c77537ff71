"""Reads single values for `schema.py` from a text and fits them to types, bounds, formats and patterns."""

from __future__ import annotations

import math
import re
from typing import Any

Schema = dict[str, Any]
TEXT_PREFIX = "Emulator: "
"""Prefix of every free text in a structured answer, which shows that Gemini did not write it."""
NOT_GIVEN = f"{TEXT_PREFIX}not given"
PLACEHOLDERS = {
    "mail": "nobody@example.invalid",
    "url": "https://example.invalid/",
    "date-time": "1970-01-01T00:00:00Z",
    "date": "1970-01-01",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "time": "00:00:00Z",
    "phone": NOT_GIVEN,
}
"""Placeholders by format, for required fields without a value in the text. They are clearly not real data."""


def is_placeholder(value: Any) -> bool:
    """Whether a value is only a placeholder or empty."""
    return value in ("", [], {}, TEXT_PREFIX, NOT_GIVEN, *PLACEHOLDERS.values())


def kind_of(schema: Schema) -> str:
    """The JSON type of a schema in lower case; the first type other than null if there are several."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if str(one).casefold() != "null"), "null")
    if kind is None:
        return "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind).casefold()


def may_be_null(schema: Schema) -> bool:
    """Whether null satisfies the schema."""
    if schema.get("const", 0) is None or None in (schema.get("enum") or []) or schema.get("nullable"):
        return True
    kind = schema.get("type")
    if kind == "null" or (isinstance(kind, list) and "null" in kind):
        return True
    return any(may_be_null(one) for key in ("anyOf", "oneOf") for one in schema.get(key) or [] if isinstance(one, dict))


def is_catch_all(value: Any) -> bool:
    """Whether an enum's value means everything else, such as `other`."""
    return isinstance(value, str) and value.casefold() in ("other", "unknown", "misc", "miscellaneous", "general")


def is_confidence(name: str) -> bool:
    """Whether a property with this name is a confidence, such as `score`."""
    return bool(re.search(r"confidence|score|probability|likelihood|certainty", name.casefold()))


def bounds(schema: Schema) -> tuple[float | None, float | None]:
    """The minimum and maximum of a schema, read from the inclusive or exclusive keywords; None: no bound."""

    def first(*keys: str) -> float | None:
        return next(
            (schema[k] for k in keys if isinstance(schema.get(k), int | float) and not isinstance(schema[k], bool)),
            None,
        )

    return first("exclusiveMinimum", "minimum"), first("exclusiveMaximum", "maximum")


def number_near(text: str, name: str, description: str) -> float:
    """The number next to the property's name in the text, else the first number, else 0."""
    number = r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?"
    for word in [*re.findall(r"[a-z]{3,}", name.casefold()), *re.findall(r"[a-z]{4,}", description.casefold())[:6]]:
        found = re.search(
            rf"({number})\s*(?:[\w-]+\s)?{re.escape(word[:7])}|{re.escape(word)}\w*\W{{0,4}}(?:is|of|to"
            rf"|was)?\W{{0,2}}({number})",
            text,
            re.I,
        )
        if found:
            return float((found[1] or found[2]).replace(",", ""))
    found = re.search(number, text)
    value = float(found[0].replace(",", "")) if found else 0.0
    return value if math.isfinite(value) else 0.0


def find_formatted(form: str, text: str) -> str:
    """The first string in `text` that has the format `form`; a placeholder if there is none."""
    patterns = {
        "mail": r"[\w.+-]+@[\w-]+\.[\w.-]*\w",
        "url": r"https?://[^\s<>\"']+\w",
        "phone": r"\+?\d[\d\s()/-]{5,}\d",
        "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)",
        "date": r"\d{4}-\d\d-\d\d",
        "uuid": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "time": r"\d\d:\d\d(?::\d\d)?",
    }
    form = "url" if form == "uri" or "link" in form else form
    key = next((key for key in patterns if key in form), "")
    found = re.search(patterns[key], text) if key else None
    return found[0] if found else PLACEHOLDERS.get(key, NOT_GIVEN)


def fit_to_schema(value: str, schema: Schema) -> str:
    """The string, cut or padded to `maxLength` and `minLength`, and replaced if needed to match `pattern`.

    A pattern that `_matching` cannot match is ignored.
    """
    max_length, min_length = schema.get("maxLength"), schema.get("minLength")
    if isinstance(max_length, int) and len(value) > max_length:
        value = value[:max_length]
    if isinstance(min_length, int) and len(value) < min_length:
        value = value.ljust(min_length, ".")
    if isinstance(pattern := schema.get("pattern"), str):
        value = _matching(pattern, value)
    return value


def _matching(pattern: str, value: str) -> str:
    """A string that matches the pattern: the value, one of its words, or a simple string. If none does, the value."""
    try:
        compiled = re.compile(pattern)
    except re.error:
        return value
    for candidate in (value, value.removeprefix(TEXT_PREFIX), *value.split(), *_SAMPLES, _sample_for(pattern)):
        if compiled.search(candidate):
            return candidate
    return value


_SAMPLES = (
    "a",
    "A",
    "0",
    "1",
    "00",
    "AA",
    "aaa",
    "AAA",
    "000",
    "0000",
    "00000",
    "A0",
    "AAA-000",
    "AAA-0000",
    "1970-01-01",
    "#000000",
    "0.0.0",
)


def _sample_for(pattern: str) -> str:
    """A simple string made from a pattern of literals, classes and counts."""
    text = pattern.strip("^$")
    text = re.sub(r"\((?:\?:)?([^()|]*)(?:\|[^()]*)?\)", r"\1", text)
    text = re.sub(
        r"\[([^\]])[^\]]*\]|\\([dws])|\\(.)",
        lambda m: m[1] or {"d": "0", "w": "a", "s": " "}.get(m[2]) or m[3] or "",
        text,
    )
    text = re.sub(r"(.)\{(\d+)(?:,\d*)?\}", lambda m: m[1] * int(m[2]), text)
    return re.sub(r"(.)[+]", r"\1", re.sub(r".[*?]", "", text))
