"""Finds the names and the quotations of a passage. Pure."""

from __future__ import annotations

import re

from tools.research.verification.dates import MONTHS
from tools.research.verification.figures_and_words import UNSPACED

_NAME = re.compile(r"(?<=[\w,;)] )[^\W\d_a-z]+[^\W\d_A-Z][^\W_]+|(?<![\w-])[^\W\d_a-z]{1,4}-?\d+(?![\w.,])")
"""Matches a capitalized word inside a sentence, and codes such as Q3 or H100."""
_LABEL = re.compile(r"^[^.:|]{1,60}:\s")
_QUOTATION = re.compile(
    r"“([^“”]+)”|„([^„“”]+)[“”]|«([^«»]+)»|「([^「」]+)」|『([^『』]+)』|(?<!\w)\"(?=\S)([^\"]+)(?<=\S)\"(?!\w)"
)
_FLAT_WORD = re.compile(rf"[{UNSPACED}]|(?:(?![{UNSPACED}])[^\W_])+")
_OMISSION = re.compile(r"\[[^\[\]]*\]|…|\.\.\.")
MIN_QUOTED_WORDS = 4
"""Minimum words of a quotation: a shorter one may be a title, or a word in scare quotes.

In a script without spaces, such as Chinese, two characters count as a word.
"""
HEAD_CHARS = 4
"""Names are compared by their first characters: Norway's, Norwegian."""


def names_of(passage: str) -> list[str]:
    """Returns the names in a normalized passage: capitalized words inside sentences. A table row has none."""
    if "|" in passage:
        return []
    found = dict.fromkeys(name[0] for name in _NAME.finditer(_LABEL.sub("", passage)))
    return [name for name in found if name.casefold() not in MONTHS]


def quotations_of(passage: str) -> list[str]:
    """Returns the quotations of a normalized passage in the form of `flat`, in parts if words are left out."""
    quoted = ("".join(filter(None, found.groups())) for found in _QUOTATION.finditer(passage))
    parts = [flat(part) for quotation in quoted for part in _OMISSION.split(quotation)]
    return [part for part in parts if _size(part) >= MIN_QUOTED_WORDS]


def flat(text: str) -> str:
    """Returns the words of a normalized text in lower case, with a space before and after each."""
    return f" {' '.join(_FLAT_WORD.findall(text.casefold()))} "


def _size(words: str) -> float:
    return sum(0.5 if re.match(f"[{UNSPACED}]", word) else 1 for word in words.split())
