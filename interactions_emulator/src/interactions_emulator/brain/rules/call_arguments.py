"""Fills a function's arguments from a message, by the names, types and descriptions of its parameters."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from interactions_emulator.brain.rules.message import read_message, split_text, stripped
from interactions_emulator.corpus.values import NUMBER, days_in, is_number, number_of, places_in, values_in
from interactions_emulator.corpus.words import terms, word_set

Schema = dict[str, Any]
MAX_CALLS = 4
"""Maximum calls for several places."""
_UNITS = (word_set("metric celsius centigrade °c km"), word_set("imperial fahrenheit °f miles"))
_LEAD = re.compile(r"(?i)^(?:(?:look up|search(?: for)?|find|tell me(?: about)?|show me|explain|define)\b[\s,:!.]*)+")


def fill(parameters: Schema, message: str, fixed: Schema, previous: Schema, known: frozenset[str]) -> list[Schema]:
    """The arguments of the calls that a message asks for: one call, or one for each of several places.

    Required arguments that it lacks are taken from the `previous` call; others, too, if it says only what differs.
    The `known` stems describe the function: they are no values.
    """
    properties, required = parameters.get("properties") or {}, parameters.get("required") or []
    follows = bool(previous) and read_message(message).has("continue")
    found: dict[str, list[Any]] = {}
    for key, raw in properties.items():
        schema = raw if isinstance(raw, dict) else {}
        kind = str(schema.get("type", "string")).casefold()
        named = fixed[key] if key in fixed else _value(key, kind, schema, message)
        values: list[Any] = [named] if named is not None else []
        if key not in fixed and kind == "string" and is_place(key):
            values = places_in(message)
        if not values and (follows or key in required):
            values = [one[name] for one, name in ((previous, key), (schema, "default")) if name in one][:1]
        found |= {key: values} if values else {}
    unnamed = {key: properties.get(key) for key in required if key not in found and not is_place(key)}
    used = {str(value) for values in found.values() for value in values}
    found |= {key: [one] for key, one in _in_order(unnamed, message, used, known | {*terms(" ".join(properties))})}
    count = min(MAX_CALLS, max(map(len, found.values()), default=1))
    return [{key: values[min(place, len(values) - 1)] for key, values in found.items()} for place in range(count)]


def _value(key: str, kind: str, schema: Schema, message: str) -> Any:
    if schema.get("enum"):
        return mentioned(schema["enum"], message)
    if kind in ("integer", "number"):
        return _number(key, schema, message.casefold())
    return next((read(message) or None for names, read in _TEXTS if kind == "string" and re.search(names, key)), None)


def _in_order(schemas: Schema, message: str, used: set[str], known: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """Values for parameters whose names say nothing: those in the message in their order, then its other words."""
    left = [value for value in values_in(message) if value not in used]
    others = [word for word in re.findall(r"[\w'’-]+", message[:2_000]) if word.casefold() not in used]
    words = " ".join(word for word in others if terms(word) and not known.issuperset(terms(word)))
    for key, schema in schemas.items():
        kind = str(schema.get("type", "string")).casefold() if isinstance(schema, dict) else ""
        numbers, names = [one for one in left if is_number(one)], [one for one in left if one.istitle()]
        if kind == "boolean":
            yield key, not re.search(r"(?i)\b(?:off|no|not|don't|without|disable|stop)\b", message)
        elif kind in ("integer", "number") and numbers:
            number = float(left.pop(left.index(numbers[0])).replace(",", ""))
            yield key, int(number) if number.is_integer() else number
        elif kind == "array" and names:
            left = [one for one in left if one not in names]
            yield key, names
        elif kind == "string" and not schema.get("enum") and left:
            yield key, left.pop(0)
        elif kind == "string" and not schema.get("enum") and words:
            yield key, words
            words = ""


def mentioned(values: list[Any], message: str) -> Any:
    """The value of an enum that a text mentions by its name, or by a unit that belongs to it; None without one."""
    plain = message.casefold()
    named = (one for one in values if re.search(rf"(?<!\w){re.escape(str(one).casefold())}(?!\w)", plain) and one != "")
    words = set(re.findall(r"[\w°]+", plain))
    return next(named, next((one for units in _UNITS for one in values if str(one) in units and words & units), None))


def _number(key: str, schema: Schema, plain: str) -> int | None:
    is_days = re.search(r"\bdays?\b", key.replace("_", " "))
    pattern = rf"\b{NUMBER}[\s-]*(day|week)" if is_days else rf"\b{re.escape(key)}\w*\W{{0,3}}(?:of|to)?\s*{NUMBER}()\b"
    if counted := re.search(pattern, plain):
        found = number_of(counted[1]) * (7 if counted[2] == "week" else 1)
    else:
        found = days_in(plain) if is_days else 0
    return max(schema.get("minimum", 0), min(schema.get("maximum", found), found)) if found else None


def subject_of(message: str) -> str:
    """The subject of a message in the user's words, without phrases such as “tell me about”."""
    plain = " ".join(message[:5_000].split())
    return (_LEAD.sub("", stripped(plain)).strip(" ?!.,:") or plain.strip(" ?!.,"))[:1_000]


_TEXTS: tuple[tuple[str, Callable[[str], str]], ...] = (
    (r"ur[il]|link", lambda message: "".join(re.findall(r"https?://[^\s<>\"']+[\w/]", message)[:1])),
    (r"text|content|comment|post|body", lambda message: split_text(message)[1]),
    (r"query|question|topic|keyword|term|search|subject", subject_of),
)
"""Maps names of parameters to the part of a message that is their value."""


def is_place(key: str) -> bool:
    """Whether a parameter is named like a place."""
    nouns = r"(?:place|location|city|town|country|region|destination|address)"
    return bool(re.search(rf"(?:^|_){nouns}(?:$|_)", key.casefold()))
