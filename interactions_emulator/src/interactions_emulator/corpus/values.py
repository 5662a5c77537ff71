"""Finds values in a text: numbers, days, dates, ids, addresses, quoted texts, names and places."""

from __future__ import annotations

import re

from interactions_emulator.corpus.words import word_set

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBER = rf"(\d[\d,.]*|{'|'.join(_NUMBERS)})"
"""Matches a whole number, in digits or as a word."""
_DAYS = (
    (r"\b(?:day after tomorrow|übermorgen)\b", 3),
    (r"\b(?:tomorrow|morgen|demain|mañana)\b", 2),
    (r"\bweek|\bwoche\b|\bsemaine\b|\bsemana\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b", 7),
    (r"\b(?:today|tonight|now|heute|aujourd'hui|hoy)\b", 1),
)
_VALUE = re.compile(
    r"""(?x)
    "([^"]+)" | “([^”]+)” | „([^“]+)“ | (?<!\w)'([^']+)'(?!\w)           # quoted
    | \b(?:called|named|titled)\s+([^,;.!?"“'\n]+)
    | [\w.+-]+@[\w-]+\.[\w.-]*\w | https?://[^\s<>"']+\w | (?<![\w/])[~.]{0,2}/[\w./-]*\w
    | \d{4}-\d\d-\d\d | \d{1,2}[/.]\d{1,2}[/.]\d{2,4} | \d{1,2}:\d\d(?:\s?[AaPp][Mm]\b)?
    | -?\b(?:[A-Za-z_][\w-]*)?\d(?:[\w+*/^%:.,-]*[\w%])?                # with a digit, such as 12*7 and A-77
    | \b[A-Z]{2,}\b
    | (?<=[a-z,]\s)(?!I\b)[A-ZÀ-ÖØ-Þ][\w'’-]+(?:\s[A-ZÀ-ÖØ-Þ][\w'’-]+)*   # names, except at the start of a sentence
    """
)
_NAME = r"[A-ZÀ-ÖØ-ÞŁŚŠŽ][\w'’.-]*\w(?:\s(?:(?:de|da|do|del|la|of|am|upon)\s){0,2}[A-ZÀ-ÖØ-ÞŁŚŠŽ][\w'’.-]*\w)*"
_AND = r"(?:,?\s(?:and|und|et|y|&)\s(?:in\s)?)"
_NAMES = re.compile(
    r"(?:^|[\s(])(?:in|for|at|to|near|about|over|on|für|nach|à|en|a|meant?)\s+"
    rf"({_NAME}(?:,\s{_NAME})*(?:{_AND}{_NAME})?)"
)
_NO_NAME = re.compile(r"Fahrenheit|Celsius|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|I|Python")
_NO_PLACE = word_set("""
    what how is are was the a an and or can will would do does it i i'm me my you right now today tomorrow tonight this
    next week weekend day days after in for at of to on like about be there get need umbrella weather forecast
    temperature rain raining snow snowing sunny windy cold warm hot celsius fahrenheit metric imperial units please pls
    plz tell give show check whole what's whats how's hows sorry same one morning wetter wie ist das es wird morgen
    übermorgen am going there""")
MAX_CHARS = 2_000
"""Maximum characters of a text that are read."""


def values_in(text: str) -> list[str]:
    """The values in a text, in their order: quoted texts, addresses, paths, dates, times, numbers, ids and names."""
    found = (next(filter(None, match.groups()), match[0]) for match in _VALUE.finditer(text[:MAX_CHARS]))
    return [value.strip() for value in found]


def days_in(plain: str) -> int:
    """The number of days that a text in lower case is about, including today; 0 if it names no days."""
    return next((days for words, days in _DAYS if re.search(words, plain)), 0)


def number_of(text: str) -> int:
    """The number that `NUMBER` has matched."""
    return _NUMBERS.index(text.casefold()) + 1 if text.isalpha() else int(re.sub(r"\D", "", text)[:9])


def is_number(text: str) -> bool:
    """Whether a text is a number in digits."""
    return re.fullmatch(r"-?\d[\d,]*(?:\.\d+)?", text) is not None


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
