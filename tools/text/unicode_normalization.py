"""Brings texts into one form of Unicode, in time linear in the text.

Python 3.11 sorts the combining marks after a letter in quadratic time, and no other thread runs meanwhile: 160 KB of
marks take 19 seconds. Nothing else in this project calls `unicodedata.normalize`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal

PIECE_CHARS = 1_000
"""Maximum characters that are normalized in one call."""
MAX_MARKS = 30
"""Marks in a row that are kept, as in the Stream-Safe Text Format (UAX #15, 13): no language needs more."""
_LONG_RUN = re.compile(f"(?:M[a-z]){{{MAX_MARKS + 1},}}")
"""Matches the categories of marks in a row. Each category has two letters, such as Mn."""
_JOINS = re.compile("[\u1160-\u11ff\u3130-\u318f\ud7b0-\ud7fb\uff9e\uff9f\uffa0-\uffdc]")
"""Letters that may join the letter before them: parts of Korean syllables, and half-width voice marks of Japanese."""


def normalize(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str, max_chars: int | None = None) -> str:
    """Returns a text in a form of Unicode, without more than `MAX_MARKS` marks in a row.

    Args:
        max_chars: the result is cut there. One character can become 18 (U+FDFA).
    """
    if text.isascii():
        return text[:max_chars]
    found, size = list[str](), 0
    for piece in _pieces(_without_long_runs(text)):
        found.append(unicodedata.normalize(form, piece))
        size += len(found[-1])
        if max_chars is not None and size >= max_chars:
            break
    return "".join(found)[:max_chars]


def _without_long_runs(text: str) -> str:
    voiced = text.replace("\uff9e", "\u3099").replace("\uff9f", "\u309a")
    categories = "".join(map(unicodedata.category, voiced))
    kept, end = list[str](), 0
    for run in _LONG_RUN.finditer(categories):
        kept.append(text[end : run.start() // 2 + MAX_MARKS])
        end = run.end() // 2
    return "".join([*kept, text[end:]])


def _pieces(text: str) -> Iterator[str]:
    """Cuts a text only where its pieces can be normalized by themselves, except in long runs of letters that join."""
    start = 0
    while start < len(text):
        end = longest = start + PIECE_CHARS
        while start < end < len(text) and (_JOINS.match(text[end]) or unicodedata.category(text[end])[0] == "M"):
            end -= 1
        end = end if end > start else longest
        yield text[start:end]
        start = end
