"""Reads what a number counts from the text beside it: a scale ("million") and a unit ("%", "MW"). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

SCALES = {10**3: "thousand", 10**4: "万", 10**6: "million", 10**8: "亿", 10**9: "billion", 10**12: "trillion"}
"""Names of the factors that are read."""
UNKNOWN_UNIT = "?"
"""The unit of a number before a word that is not a known unit: 24 turbines."""
CONTEXT_CHARS = 30
"""Number of characters before and after a number that are read."""
_SCALES = (
    (10**3, r"(?i:thousand|tausend|mil)\b|[kK]\b"),
    (10**6, r"(?i:milli?[oõ][a-zê]*|mio\b|mn\b)|M\b"),
    (10**9, r"(?i:billions?\b|milli?ard[a-z]*|mrd\b|bn\b)"),
    (10**12, r"(?i:trillions?|billionen)\b"),
    (10**4, "[万萬만]"),
    (10**8, "[亿億억]"),
)
_MONEY_SCALES = ((10**6, r"m\b"), (10**9, r"[bB]\b"))
"""Abbreviations after an amount of money only; elsewhere they are units."""
_MONEY = (("$", r"(?:us)?\$|usd\b|dollar"), ("€", r"€|eur\b|euro"), ("£", r"£|gbp\b"))
_UNITS = (
    ("percentage points", r"pp\b|percentage[ -]point|prozentpunkt|points? de pourcentage|puntos? porcentual"),
    ("%", r"%|per ?cent|pro[zc]ent|pour cent|por ?cien|porcent"),
    ("°C", r"°c\b|(?:degrees?|grad) c(?:elsius)?\b"),
    ("°F", r"°f\b|(?:degrees?|grad) f(?:ahrenheit)?\b"),
    ("", r"°|degrees?\b|grad\b"),
    *_MONEY,
)


def _one_of(forms: Iterable[tuple[object, str]]) -> str:
    """A pattern for several forms; the name of its matching group is "n" and the position of the form."""
    return "|".join(f"(?P<n{position}>{form})" for position, (_, form) in enumerate(forms))


_SCALE = re.compile(_one_of(_SCALES))
_MONEY_SCALE = re.compile(_one_of(_MONEY_SCALES))
_MONEY_BEFORE = re.compile(rf"(?<![a-z])(?:{_one_of(_MONEY)})\Z", re.IGNORECASE)
_UNIT = re.compile(_one_of(_UNITS), re.IGNORECASE)
_PREFIXES = {"kilo": "k", "mega": "M", "giga": "G", "tera": "T", "milli": "m", "centi": "c", "zenti": "c", None: ""}
_BASES = {"met": "m", "mèt": "m", "wat": "W", "gra": "g", "byt": "B", "her": "Hz"}
_METRIC = re.compile(
    r"(?P<prefix>kilo|mega|giga|tera|milli|[cz]enti)?"
    r"(?P<base>m[eè]t(?:er|re)|watt(?P<hour>[ -]?(?:hour|stunde))?|gram|byte|hertz)",
    re.IGNORECASE,
)
_SYMBOL = re.compile(r"(?:[kMGTm]?(?:Wh|W|Hz)|[kmcM]?m|[km]?g|[kKMGT]B)\b")
"""Abbreviations of metric units. Their case distinguishes MW from mW."""
_WORD = re.compile(r"[a-zà-ÿ]{4}", re.IGNORECASE)


def scale_and_unit(before: str, after: str) -> tuple[int, str]:
    """Returns the factor and the unit of a number. The unit is `UNKNOWN_UNIT`, or empty if no word follows.

    Args:
        before, after: the text that surrounds the number.
    """
    money = _MONEY_BEFORE.search(before.rstrip())
    unit = _MONEY[_position(money)][0] if money else ""
    after, scale = after.lstrip(" -"), 1
    if money and (found := _MONEY_SCALE.match(after)):
        scale = _MONEY_SCALES[_position(found)][0]
    elif found := _SCALE.match(after):
        scale = _SCALES[_position(found)][0]
    if found:
        after = after[found.end() :].lstrip(" .-")
    return scale, unit or _unit(after)


def _position(found: re.Match[str]) -> int:
    return int(str(found.lastgroup)[1:])


def _unit(after: str) -> str:
    if found := _UNIT.match(after):
        return _UNITS[_position(found)][0]
    if found := _METRIC.match(after):
        prefix = _PREFIXES[found["prefix"] and found["prefix"].casefold()]
        return prefix + _BASES[found["base"][:3].casefold()] + ("h" if found["hour"] else "")
    if found := _SYMBOL.match(after):
        return found[0]
    return UNKNOWN_UNIT if _WORD.match(after) else ""
