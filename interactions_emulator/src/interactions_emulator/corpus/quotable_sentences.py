"""Tells which sentences of a document can be quoted, and which say nearly the same."""

from __future__ import annotations

import re

from interactions_emulator.corpus.words import SENTENCE_ENDS, UNSPACED, terms

_CONTEXT_NEEDED = re.compile(
    r"(?:This|These|Those|That|Such|Each|Both|All)\b"
    r"|(?:It|Its|They|Their|He|She|We|I|However|But|And|Or|So|Also|Thus|Therefore|Then|See|Here|There|Another|Other"
    r"|For example|For instance|By comparison|Instead|In this case|In particular|Similarly|Likewise|Otherwise|Finally"
    r"|First|Second|Third|Next|As above|For (?:more|further|additional)|The (?:above|following|former|latter))\b"
    r"|(?i:please|copyright|refer to|thanks?|check out|visit|read the|click|licensed|if (?:you|your)|added in"
    r"|new in|deprecated|note)\b"
)
"""Matches a sentence that refers to the sentence before, or that addresses the reader."""
_NO_PROSE = re.compile(
    r"^\[\d+\]|^PEP \d|https?://|\s[=|]\s|[{}\\^]|\(\)\.|`{3}|\.\.\.$|\b(?:here|below|above|follows|following)\W*$"
    r"|:\s*\.$|\((?:described|see|defined) (?:in|below|above)"
)


def is_quotable(sentence: str) -> bool:
    """Whether a text is a complete sentence of prose, of a fit length."""
    wide = bool(re.search(f"[{UNSPACED}]", sentence))
    last = sentence.rstrip("\"'”’»)")[-1:]
    ended = last in SENTENCE_ENDS or "\u0e00" <= last < "\u0f00"  # Thai and Lao have no full stop
    if not (10 if wide else 20) <= len(sentence) <= 420 or not ended or _NO_PROSE.search(sentence):
        return False
    first = next(filter(str.isalnum, sentence[:4]), "")
    return wide or (len(sentence.split()) >= 4 and bool(first) and not (first.islower() and sentence[0] != "`"))


def stands_alone(sentence: str) -> bool:
    """Whether a sentence can be quoted without the sentences around it."""
    return is_quotable(sentence) and not _CONTEXT_NEEDED.match(sentence)


def is_repetition(sentence: str, other: str) -> bool:
    """Whether two sentences have nearly the same words."""
    a, b = set(terms(sentence)), set(terms(other))
    return len(a & b) >= 0.7 * max(1, min(len(a), len(b)))
