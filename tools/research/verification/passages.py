"""Finds the passages of a report that its citation marks follow. Takes time linear in the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tools.interactions.citation_marks import Source, split_at_marks
from tools.research.verification.figures_and_words import normalized, terms_of
from tools.research.verification.limits import MAX_PASSAGE_CHARS, MAX_SENTENCES
from tools.research.verification.matching import MIN_TERMS

_BLOCK_START = re.compile(r"\n[ \t]*\n|\n(?=[ \t>]*(?:[-*+#|]|\d+[.)]))")
"""A blank line, or a line that begins a list item, a heading or a row of a table."""
_SENTENCE_START = re.compile(r"(?<=[.!?…])[\"”’)\]]*\s+|(?<=[。！？])")
_MARKER = re.compile(r"^[ \t>]*(?:[-*+]|#{1,6}|\d+[.)])[ \t]+")
_LINK = re.compile(r"!?\[([^\[\]\n]*+)\]\((?:[^()\n]|\([^()\n]*+\))*+\)")
_ESCAPE_OR_MARKUP = re.compile(r"\\([!-/:-@\[-`{-~])|[*_`~]")
"""A backslash with the punctuation that it escapes, or a character that sets emphasis or code."""


@dataclass(frozen=True)
class Passage:
    """A passage as plain text, and the number of a source that is cited for it."""

    text: str
    number: int


def cited_passages(text: str, sources: Sequence[Source]) -> list[Passage]:
    """Lists the passages of a report's text, one for each mark.

    A passage is the sentence or the table row before the mark. It begins after the mark before at the latest, because
    the text before that mark cites other sources. A sentence that is too short is extended by those before it.
    """
    found = list[Passage]()
    for piece, numbers in split_at_marks(text, sources):
        *_, block = _BLOCK_START.split(piece)
        found += [Passage(_passage(block[-MAX_PASSAGE_CHARS:]), number) for number in numbers]
    return found


def _passage(block: str) -> str:
    """The end of a block: as few sentences as give enough words, and at most `MAX_SENTENCES`."""
    starts = [0] if _is_row(block) else [0, *(end.end() for end in _SENTENCE_START.finditer(block.rstrip()))]
    text = ""
    for start in reversed(starts[-MAX_SENTENCES:]):
        text = plain_text(block[start:])
        if _is_enough(text):
            break
    return text


def _is_row(block: str) -> bool:
    return block.lstrip().startswith("|")


def _is_enough(text: str) -> bool:
    terms = terms_of(normalized(text))
    return len(terms.words) + len(terms.figures) >= MIN_TERMS


def blocks(text: str) -> list[str]:
    """Divides Markdown into paragraphs, headings, list items and rows of tables."""
    return [block for block in _BLOCK_START.split(text) if block.strip()]


def plain_text(text: str) -> str:
    """Removes Markdown that would be read as words or figures: list numbers, addresses of links, escapes."""
    text = _LINK.sub(r"\1", _MARKER.sub("", text))
    if _is_row(text):
        text = text.strip().strip("|").replace("|", " | ")
    return " ".join(_ESCAPE_OR_MARKUP.sub(lambda found: found[1] or " ", text).split())
