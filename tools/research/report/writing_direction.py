"""Decides in which direction a text is written. Only its letters decide, not its language. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Literal

Direction = Literal["ltr", "rtl"]

MIN_RIGHT_TO_LEFT_SHARE = 0.4
"""A text is written from right to left if this share of its words is.

Arabic and Hebrew texts contain more names in Latin letters than the other way round.
"""
_NO_WORD = re.compile(r"https?://\S+|°[ \u00a0\u202f]?[CF]\b")
"""Matches web addresses and units of temperature, which are in Latin letters in any language."""
_WORD = re.compile(r"[\u3040-\u9fff]{1,2}|[^\s\u3040-\u9fff]+")
"""Matches a word, or two characters of Chinese or Japanese, which have no spaces."""
_DIRECTIONS: dict[str, Direction] = {"L": "ltr", "R": "rtl", "AL": "rtl"}
"""The direction of each bidirectional class of letters in Unicode (https://www.unicode.org/reports/tr9/)."""
NUMBER = r"(?<!\d[.,٫٬\u00a0\u202f])\d++(?:[.,٫٬\u00a0\u202f]\d++)*+"
"""Matches a whole number, never a part of one, so that the work stays linear."""
_SIGN, _CURRENCY, _UNIT = "[-+−±]", "[$€£¥] ?", "[ \u00a0\u202f]?(?:° ?[CF]|[%‰])"
_RANGE = rf"{NUMBER}(?:[-–]{_SIGN}?{NUMBER}){{0,3}}"
LEFT_TO_RIGHT = re.compile(
    rf"(https?://\S*[\w/…]|(?<![\w.,])(?:\d{{4}}-\d\d-\d\d(?!\w)|{_SIGN}?(?:{_CURRENCY})?{_RANGE}{_UNIT}"
    rf"|(?:{_SIGN}(?:{_CURRENCY})?|{_CURRENCY}){_RANGE})|°[CF]\b|\b[A-Za-z]+(?:\+\+|#)(?!\w))"
)
"""Matches what every language writes from left to right: addresses, dates, numbers with a sign or a unit, "C++".

Else the rules of Unicode put the sign of a number on its right in Arabic text.
"""


def direction_of(text: str) -> Direction | None:
    """Returns the direction of most words, or None if no word has a letter. Addresses and units do not count."""
    words = [direction for word in _WORD.findall(_NO_WORD.sub(" ", text)) if (direction := _first_strong(word))]
    if not words:
        return None
    return "rtl" if words.count("rtl") >= MIN_RIGHT_TO_LEFT_SHARE * len(words) else "ltr"


def direction_of_most(texts: Iterable[str], around: Direction) -> Direction:
    """Returns the direction of most texts, such as the items of a list, or that of the text around them."""
    directions = Counter(map(direction_of, texts))
    other: Direction = "ltr" if around == "rtl" else "rtl"
    return other if directions[other] > directions[around] else around


def has_rtl_letters(text: str) -> bool:
    """Whether a text has letters that are written from right to left."""
    return any(_DIRECTIONS.get(unicodedata.bidirectional(character)) == "rtl" for character in set(text))


def _first_strong(word: str) -> Direction | None:
    found = (_DIRECTIONS.get(unicodedata.bidirectional(character)) for character in word)
    return next(filter(None, found), None)
