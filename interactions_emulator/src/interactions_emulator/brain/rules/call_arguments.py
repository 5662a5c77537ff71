"""Fills a function's arguments from a message, by the names, types and descriptions of its parameters."""

import re
from collections.abc import Callable
from typing import Any

from interactions_emulator.brain.rules.message import compiled, read_message, split_text, stripped
from interactions_emulator.corpus.words import word_set

Schema = dict[str, Any]
MAX_CHARS, MAX_CALLS = 2_000, 4
"""Maximum characters of a message that are searched for places, and calls for several places."""
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBER = rf"(\d[\d,.]*|{'|'.join(_NUMBERS)})"
"""Matches a whole number, in digits or as a word."""
_UNITS = (word_set("metric celsius centigrade °c km"), word_set("imperial fahrenheit °f miles"))
_DAYS = (
    (r"\b(?:day after tomorrow|übermorgen)\b", 3),
    (r"\b(?:tomorrow|morgen|demain|mañana)\b", 2),
    (r"\bweek|\bwoche\b|\bsemaine\b|\bsemana\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b", 7),
    (r"\b(?:today|tonight|now|heute|aujourd'hui|hoy)\b", 1),
)
_NAME = r"[A-ZÀ-ÖØ-ÞŁŚŠŽ][\w'’.-]*\w(?:\s(?:(?:de|da|do|del|la|of|am|upon)\s){0,2}[A-ZÀ-ÖØ-ÞŁŚŠŽ][\w'’.-]*\w)*"
_AND = r"(?:,?\s(?:and|und|et|y|&)\s(?:in\s)?)"
_NAMES = compiled(rf"""(?:^|[\s(])(?:in|for|at|to|near|about|over|on|für|nach|à|en|a
    |meant?)\s+({_NAME}(?:,\s{_NAME})*(?:{_AND}{_NAME})?)""")
_NO_NAME = re.compile(r"Fahrenheit|Celsius|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|I|Python")
_LEAD = re.compile(r"(?i)^(?:(?:look up|search(?: for)?|find|tell me(?: about)?|show me|explain|define)\b[\s,:!.]*)+")
_NO_PLACE = word_set("""
    what how is are was the a an and or can will would do does it i i'm me my you right now today tomorrow tonight this
    next week weekend day days after in for at of to on like about be there get need umbrella weather forecast
    temperature rain raining snow snowing sunny windy cold warm hot celsius fahrenheit metric imperial units please pls
    plz tell give show check whole what's whats how's hows sorry same one morning wetter wie ist das es wird morgen
    übermorgen am""")


def fill(parameters: Schema, message: str, fixed: Schema, previous: Schema) -> list[dict[str, Any]]:
    """The arguments of the calls that a message asks for: one call, or one for each of several places.

    Required arguments that it lacks are taken from the `previous` call; others, too, if it says only what differs.
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
    count = min(MAX_CALLS, max(map(len, found.values()), default=1))
    return [{key: values[min(place, len(values) - 1)] for key, values in found.items()} for place in range(count)]


def _value(key: str, kind: str, schema: Schema, message: str) -> Any:
    if schema.get("enum"):
        return mentioned(schema["enum"], message)
    if kind in ("integer", "number"):
        return _number(key, schema, message.casefold())
    return next((read(message) or None for names, read in _TEXTS if kind == "string" and re.search(names, key)), None)


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


def days_in(plain: str) -> int:
    """The number of days that a text in lower case is about, including today; 0 if it names no days."""
    return next((days for words, days in _DAYS if re.search(words, plain)), 0)


def number_of(text: str) -> int:
    """The number that `NUMBER` has matched."""
    return _NUMBERS.index(text.casefold()) + 1 if text.isalpha() else int(re.sub(r"\D", "", text)[:9])


def subject_of(message: str) -> str:
    """The subject of a message in the user's words, without phrases such as “tell me about”."""
    plain = " ".join(message[:5_000].split())
    return (_LEAD.sub("", stripped(plain)).strip(" ?!.,:") or plain.strip(" ?!.,"))[:1_000]


_TEXTS: tuple[tuple[str, Callable[[str], str]], ...] = (
    (r"ur[il]|link", lambda message: "".join(re.findall(r"https?://[^\s<>\"']+[\w/]", message)[:1])),
    (r"text|content|comment|post", lambda message: split_text(message)[1]),
    (r"query|question|topic|keyword|term|search|subject", subject_of),
)
"""Maps names of parameters to the part of a message that is their value."""


def is_place(key: str) -> bool:
    """Whether a parameter is named like a place."""
    nouns = r"(?:place|location|city|town|country|region|destination|address)"
    return bool(re.search(rf"(?:^|_){nouns}(?:$|_)", key.casefold()))


def places_in(message: str) -> list[str]:
    """The places in a message, as it spells them: one for `São Paulo, Brazil`, two for `Paris and Rome`."""
    plain = " ".join(message[:MAX_CHARS].split())
    if coordinates := re.search(r"(?<![\d.])-?\d{1,3}\.\d+\s*,\s*-?\d{1,3}\.\d+", plain):
        return [coordinates[0]]
    for found in _NAMES.finditer(plain):
        names = re.split(_AND, found[1])
        names = [*names[0].split(", "), *names[1:]] if len(names) > 1 else names
        if kept := [name for name in names if not _NO_NAME.fullmatch(name)]:
            return list(dict.fromkeys(kept))
    if wide := re.search(r"([\u4e00-\u9fff]{2,6}?)(?:今天|明天|的?天气)", plain):
        return [wide[1]]
    words = list(re.finditer(r"[^\s?!]+", plain))
    left = [one for one in words if one[0].strip(",.'\"").casefold() not in _NO_PLACE and not re.search(r"\d", one[0])]
    short = 0 < len(left) <= 5 and len(words) <= 10
    return [plain[left[0].start() : left[-1].end()].strip(" ,.'\"")] if short else []
