"""Finds the passages of a report that its citation marks follow. Takes time linear in the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tools.interactions.citations import Source, split_at_marks
from tools.research.verification.matching import MIN_TERMS
from tools.research.verification.terms import normalized, terms_of

MAX_PASSAGE_CHARS = 1_000
_BLOCK_START = re.compile(r"\n[ \t]*\n|\n(?=[ \t>]*(?:[-*+#|]|\d+[.)]))")
"""A blank line, or a line that begins a list item, a heading or a row of a table."""
_SENTENCE_START = re.compile(r"(?<=[.!?…])[\"”’)\]]*\s+|(?<=[。！？])")
_MARKER = re.compile(r"^[ \t>]*(?:[-*+]|#{1,6}|\d+[.)])[ \t]+")
_LINK = re.compile(r"!?\[([^\[\]\n]*+)\]\((?:[^()\n]|\([^()\n]*+\))*+\)")


@dataclass(frozen=True)
class Passage:
    """A passage as plain text, and the number of a source that is cited for it."""

    text: str
    number: int


def cited_passages(text: str, sources: Sequence[Source]) -> list[Passage]:
    """Lists the passages of a report's text, one for each mark.

    A passage is the sentence before the mark, or its part since the mark before, or the table row up to the mark. One
    that is too short is extended to the beginning of its sentence, and then by the sentences before it in its block.
    """
    found = list[Passage]()
    block = piece = ""
    for following, numbers in split_at_marks(text, sources):
        *_, rest = _BLOCK_START.split(following)
        block = rest if len(rest) < len(following) else block + following
        piece, block = rest, block[-MAX_PASSAGE_CHARS:]
        found += [Passage(_passage(block, piece), number) for number in numbers]
    return found


def _passage(block: str, piece: str) -> str:
    """The shortest end of a block that is long enough: a sentence's part since the last mark, a sentence, or more."""
    starts = [0, *(match.end() for match in _SENTENCE_START.finditer(block.rstrip()))]
    sentence = block[starts[-1] :]
    longer = [] if _is_row(block) else [block[start:] for start in reversed(starts)]
    candidates = [min(piece, sentence, key=len), *longer, block]
    plain = [_plain(candidate) for candidate in candidates]
    return next((text for text in plain if _is_enough(text)), plain[-1])


def _is_row(block: str) -> bool:
    return block.lstrip().startswith("|")


def _is_enough(text: str) -> bool:
    terms = terms_of(normalized(text))
    return len(terms.words) >= MIN_TERMS


def _plain(text: str) -> str:
    """Removes Markdown that would be read as words or figures: list numbers, addresses of links, escapes."""
    text = _LINK.sub(r"\1", _MARKER.sub("", text))
    return " ".join(re.sub(r"\\(?=[^\w\s])|[*_`~|]", " ", text).split())
