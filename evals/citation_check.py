"""Checks a report's citations without a model: finds FACT's statement–URL pairs, and statements without a source.

FACT (DeepResearch Bench, arXiv 2506.11763) uses a model to find the pairs, to drop duplicates, and to check whether
each page supports its statement. This module does the first two steps from the citation marks, and skips the third.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from evals.markdown_parser import read_prose


@dataclass(frozen=True)
class Pair:
    """A statement and the URL of a source that it cites."""

    statement: str
    url: str


@dataclass(frozen=True)
class Check:
    """The result for one report."""

    pairs: tuple[Pair, ...]
    """All pairs, each once."""
    duplicates: tuple[Pair, ...]
    """Pairs that occur more than once in the report."""
    claims: int
    """Number of sentences and table rows that state something."""
    uncited: tuple[str, ...]
    """Claims without a source."""
    figures: tuple[str, ...]
    """Uncited claims with a number, which readers cannot check."""
    unused: tuple[str, ...]
    """Listed sources that no citation mark refers to."""
    astray: tuple[int, ...]
    """Numbers of citation marks that have no source."""

    @property
    def coverage(self) -> float:
        """Share of the claims that have a source; 1 if there are none."""
        return 1 - len(self.uncited) / self.claims if self.claims else 1.0


def check(report: str) -> Check:
    """Checks the citations of a report in Markdown."""
    prose = read_prose(report)
    urls = {source.number: source.url or source.title for source in prose.sources}
    found = [
        Pair(sentence.text, url)
        for sentence in prose.sentences
        for url in dict.fromkeys(mark.url or urls.get(mark.number) for mark in sentence.marks)
        if url
    ]
    counted = Counter((_normalized(pair.statement), pair.url) for pair in found)
    first = {(_normalized(pair.statement), pair.url): pair for pair in reversed(found)}
    uncited = tuple(claim.text for claim in prose.claims if not claim.marks)
    cited = {mark.number for mark in prose.marks}
    return Check(
        pairs=tuple(dict.fromkeys(first[_normalized(pair.statement), pair.url] for pair in found)),
        duplicates=tuple(pair for key, pair in reversed(first.items()) if counted[key] > 1),
        claims=len(prose.claims),
        uncited=uncited,
        figures=tuple(text for text in uncited if re.search(r"\d", text)),
        unused=tuple(source.title for source in prose.sources if source.number not in cited),
        astray=tuple(sorted(cited - urls.keys())),
    )


def _normalized(text: str) -> str:
    return re.sub(r"\W+", " ", text.casefold()).strip()
