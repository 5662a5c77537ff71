"""Finds what a corpus says about a subject: excerpts of a few sentences that a report can quote."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import NamedTuple, Protocol

from interactions_emulator.corpus.documents import ATTACHED, REFERENCE_PREFIX
from interactions_emulator.corpus.index import Passage
from interactions_emulator.corpus.quotable_sentences import is_quotable, is_repetition, stands_alone
from interactions_emulator.corpus.words import sentences, terms

MIN_SHARE, MIN_ATTACHED_SHARE, MIN_TOPIC_SHARE = 0.5, 0.3, 0.2
"""Minimum share of a subject's words, and of the whole topic's words, in a passage that gives an excerpt."""
MAX_EXCERPT_SENTENCES = 3
DEFINITION = re.compile(r"(?:An?|The)?\s?[\w\s`'-]{1,40}\b(?:is|are)\s(?:an?|the)\b")
"""Matches the beginning of a sentence that says what something is."""


class Searched(Protocol):
    """A corpus that can be searched, or several together."""

    def search(self, query: str, limit: int) -> list[Passage]:
        """The best passages, best first."""
        ...

    def weights(self, query: str) -> dict[str, tuple[float, int]]:
        """The weight of each stem of the query, and the number of passages with it."""
        ...


class Excerpt(NamedTuple):
    """Consecutive sentences of a passage. The first one can be understood without those before it."""

    sentences: tuple[str, ...]
    source: Passage
    score: float


class Subject:
    """The words of a query, with their weights in a corpus: rare words weigh more."""

    def __init__(self, corpus: Searched, query: str) -> None:
        found = corpus.weights(query)
        self._weights = {term: weight for term, (weight, _) in found.items()}
        self._total = sum(self._weights.values()) or 1.0
        self.count = len(found)
        self.rarity = self._total / max(1, len(found))
        """The mean weight of the words."""
        self.known = {term for term, (_, count) in found.items() if count}
        """The stems that the corpus contains."""
        self.rarest = max(self._weights, key=lambda term: self._weights[term], default="")

    def share(self, text: str) -> float:
        """The share of the words in a text, from 0 to 1."""
        return sum(self._weights.get(term, 0.0) for term in set(terms(text))) / self._total


def excerpts(
    corpus: Searched,
    query: str,
    subject: Subject,
    topic: Subject,
    said: Collection[str],
    without: Iterable[str],
    limit: int,
) -> list[Excerpt]:
    """Up to `limit` excerpts about a subject within a topic, best first, at most half of them from one document.

    Leaves out the sentences in `said`, and sentences about the words in `without`.
    """
    unwanted = [set(terms(one)) for one in without]
    found: list[Excerpt] = []
    for rank, passage in enumerate(corpus.search(query, 40)):
        about = f"{passage.title} {passage.heading}"
        least = MIN_ATTACHED_SHARE if passage.document_id.startswith(ATTACHED) else MIN_SHARE
        if subject.share(f"{about} {passage.text}") < least or topic.share(f"{about} {passage.text}") < MIN_TOPIC_SHARE:
            continue
        if run := _best_run(passage, subject, said, unwanted):
            score = subject.share(" ".join(run)) + subject.share(about) - 0.02 * rank
            score += 0.3 * bool(DEFINITION.match(run[0]))
            score -= 0.5 * passage.document_id.startswith(REFERENCE_PREFIX)  # articles are easier to read
            found.append(Excerpt(run, passage, score))
    taken: list[Excerpt] = []
    documents: Counter[str] = Counter()
    for one in sorted(found, key=lambda one: -one.score):
        earlier = [sentence for other in taken for sentence in other.sentences]
        repeats = any(is_repetition(sentence, other) for sentence in one.sentences for other in earlier)
        if not repeats and len(taken) < limit and documents[one.source.document_id] < max(3, limit // 2):
            documents[one.source.document_id] += 1
            taken.append(one)
    return taken


def _best_run(
    passage: Passage, subject: Subject, said: Collection[str], unwanted: Iterable[set[str]]
) -> tuple[str, ...]:
    """The consecutive sentences of a passage that say most about the subject; the first one stands alone."""
    whole, best, best_share = sentences(passage.text), tuple[str, ...](), 0.0
    for start, first in enumerate(whole):
        run: list[str] = []
        for sentence in whole[start : start + MAX_EXCERPT_SENTENCES] if stands_alone(first) else ():
            left_out = any(one <= set(terms(f"{passage.heading} {sentence}")) for one in unwanted)
            if left_out or not is_quotable(sentence) or any(is_repetition(sentence, other) for other in said):
                break
            run.append(sentence)
        if run and (share := subject.share(" ".join(run))) > best_share:
            best, best_share = tuple(run), share
    return best
