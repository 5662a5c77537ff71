"""Finds what a corpus says about a query: single sentences that answer it, and excerpts that a report can quote."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import NamedTuple, Protocol

from interactions_emulator.corpus.documents import ATTACHED, REFERENCE_PREFIX
from interactions_emulator.corpus.index import Passage
from interactions_emulator.corpus.quotable import is_quotable, is_repetition, stands_alone
from interactions_emulator.corpus.words import sentences, terms

MIN_COVERAGE, MIN_ATTACHED_COVERAGE = 0.6, 0.34
"""Minimum share of a question's words, from 0 to 1, in a passage that answers it; lower for an attached document."""
MIN_SHARE, MIN_ATTACHED_SHARE, MIN_TOPIC_SHARE = 0.5, 0.3, 0.2
"""Minimum share of a subject's words, and of the whole topic's words, in a passage that gives an excerpt."""
MAX_ANSWER_SENTENCES, MAX_ANSWER_DOCUMENTS = 4, 3
MAX_EXCERPT_SENTENCES = 3
_DEFINITION = re.compile(r"(?:An?|The)?\s?[\w\s`'-]{1,40}\b(?:is|are)\s(?:an?|the)\b")

_NAME = re.compile(r"(?<=\s)[A-ZÀ-Þ][\w'-]+")
_VAGUE = frozenset(
    terms("get like have make now know mean thing good far one two three four five six seven eight nine ten")
)
"""Words that say little about the subject of a question."""

Quotation = tuple[str, Passage]


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


def answering_sentences(corpus: Searched, query: str, min_coverage: float = MIN_COVERAGE) -> list[Quotation]:
    """Up to four sentences from up to three documents that match a question best, ordered by document."""
    subject = Subject(corpus, query)
    is_narrow = min_coverage >= MIN_COVERAGE and subject.count <= 5
    scored: list[tuple[float, int, int, str, Passage]] = []
    for rank, passage in enumerate(corpus.search(query, 40)):
        about = f"{passage.title} {passage.heading}"
        if passage.score < min_coverage or (is_narrow and subject.rarest not in terms(f"{about} {passage.text}")):
            continue
        for place, sentence in enumerate(sentences(passage.text)):
            if stands_alone(sentence) if min_coverage >= MIN_COVERAGE else is_quotable(sentence):
                covered = (subject.share(sentence) + subject.share(f"{about} {sentence}")) / 2
                score = covered + 0.15 * bool(_DEFINITION.match(sentence)) - 0.01 * rank - 0.03 * place
                scored.append((-score, rank, place, sentence, passage))
    chosen: list[Quotation] = []
    for score, _, _, sentence, passage in sorted(scored, key=lambda one: one[:3]):
        documents = {other.document_id for _, other in chosen}
        if len(chosen) == MAX_ANSWER_SENTENCES or (len(chosen) >= 2 and -score < min_coverage / 2):
            break
        fits = passage.document_id in documents or len(documents) < MAX_ANSWER_DOCUMENTS
        if fits and not any(is_repetition(sentence, other) for other, _ in chosen):
            chosen.append((sentence, passage))
    order = list(dict.fromkeys(passage.document_id for _, passage in chosen))
    return sorted(chosen, key=lambda one: (order.index(one[1].document_id), one[1].position, one[1].text.find(one[0])))


def is_answer(question: str, sentence: str, title: str = "") -> bool:
    """Whether a sentence shares enough words with a question: two, a name, or one that is in the title too."""
    asked = {one for one in terms(question) if not one.isdecimal()} - _VAGUE
    shared = asked & set(terms(sentence))
    names = set(terms(f"{title} {' '.join(_NAME.findall(question))}"))
    defines = re.match(r"(?i)(?:what|who)(?:'s| is| are| does)\s", question)
    return len(shared) >= 2 or bool(asked & names and shared) or bool(defines and shared)


def best_sentences(text: str, question: str, limit: int) -> list[str]:
    """Up to `limit` sentences of a text that match the question best, in order; without a question, its main ones."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(("#", "|", ">", "*", "`"))]
    bare = [re.sub(r"^\s*(?:-|\d+\.)\s+|\s*\[\d+\]", "", line) for line in lines]
    pool = list(dict.fromkeys(one for line in bare for one in sentences(line) if is_quotable(one)))
    asked = set(terms(question)) - _VAGUE
    counts = Counter(term for one in pool for term in set(terms(one)))

    def weight(one: str) -> float:
        own = set(terms(one))
        return 10 * sum(1 / math.sqrt(counts[term]) for term in asked & own) + sum(counts[term] for term in own) / (
            len(own) + 6
        )

    chosen: list[str] = []
    for one in sorted(pool, key=lambda one: -weight(one)):
        if len(chosen) < limit and (not asked or asked & set(terms(one))):
            chosen += [one] if not any(is_repetition(one, other) for other in chosen) else []
    return sorted(chosen, key=pool.index)


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
            score += 0.3 * bool(_DEFINITION.match(run[0]))
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
