"""Reads from a brief how its report should be structured, and checks the report.

Only English briefs are read. A requirement that is not understood is not checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from evals.markdown_parser import Prose

_WORDED = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {word: i for i, word in enumerate(_WORDED, 1)}
_COUNT = rf"(?P<count>\d+|{'|'.join(_NUMBERS)})"
_TABLE = re.compile(r"\b(?:as|in|with|and|plus|include|including) (?:a|an|one) (?:[\w-]+ ){0,3}table\b", re.I)
_POINTS = re.compile(rf"\b(?:in|as|with) {_COUNT} (?:short |brief )?(?:bullet points|bullets|points)\b", re.I)
_SECTIONS = re.compile(rf"\b(?:in|with|into) {_COUNT} (?:short |main )?(?:sections|chapters|parts)\b", re.I)
_NAMED = re.compile(
    r"\bwith (?:the |a |these |following )*(?:sections?|chapters?|headings?)(?: on| about| named| called|:)?"
    r" (?P<names>[^.!?;:\n]+)",
    re.I,
)
_WORDS = re.compile(
    r"\b(?:under|at most|up to|no more than|fewer than|less than|maximum of) (?P<count>\d[\d,]*) words\b", re.I
)


@dataclass(frozen=True)
class FormatRequirements:
    """The structure that a brief asks for. None, False and () mean no requirement."""

    table: bool = False
    points: int | None = None
    sections: int | None = None
    named: tuple[str, ...] = ()
    max_words: int | None = None


def read_requirements(brief: str) -> FormatRequirements:
    """Reads the form that a brief asks for."""
    named = _NAMED.search(brief)
    return FormatRequirements(
        table=_TABLE.search(brief) is not None,
        points=_count(_POINTS.search(brief)),
        sections=_count(_SECTIONS.search(brief)),
        named=_names(named["names"]) if named else (),
        max_words=_count(_WORDS.search(brief)),
    )


def unmet_requirements(required: FormatRequirements, text: str, report: Prose) -> tuple[list[str], int]:
    """Returns what a report lacks, and the number of checks.

    Every report needs a title and sources; if the brief has no other requirement, it needs sections too.
    """
    titles = [name for level, name in report.headings if level == 1]
    sections = [name for level, name in report.headings if level == 2 and name != "Sources"]
    checks = [
        (len(titles) == 1, "one title"),
        (bool(report.sources), "a list of sources"),
    ]
    if required.table:
        checks.append((report.tables > 0, "a table"))
    if required.points is not None:
        checks.append((report.points == required.points, f"{required.points} points, not {report.points}"))
    if required.sections is not None:
        checks.append((len(sections) == required.sections, f"{required.sections} sections, not {len(sections)}"))
    if required.max_words is not None:
        words = sum(len(sentence.text.split()) for sentence in report.sentences)
        checks.append((words <= required.max_words, f"at most {required.max_words} words, not {words}"))
    checks += [(any(_about(name, section) for section in sections), f"a section on {name}") for name in required.named]
    if required == FormatRequirements():
        checks.append((len(sections) >= 2, "sections"))
    return [description for met, description in checks if not met], len(checks)


def _count(match: re.Match[str] | None) -> int | None:
    if match is None:
        return None
    word = match["count"].lower().replace(",", "")
    return _NUMBERS.get(word) or int(word)


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name for part in re.split(r",|\band\b|\bplus\b", listed) if (name := part.strip(" “”\"'")))


def _about(name: str, section: str) -> bool:
    return name.casefold() in section.casefold()
