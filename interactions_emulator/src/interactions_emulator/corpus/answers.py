"""Finds the sentences that answer a question, in documents or in a text."""

from __future__ import annotations

import math
import re
from collections import Counter

from interactions_emulator.corpus.excerpts import DEFINITION, Searched, Subject
from interactions_emulator.corpus.index import Passage
from interactions_emulator.corpus.quotable_sentences import is_quotable, is_repetition, stands_alone
from interactions_emulator.corpus.words import sentences, terms

MIN_COVERAGE, MIN_ATTACHED_COVERAGE = 0.6, 0.34
"""Minimum share of a question's words, from 0 to 1, in a passage that answers it; lower for an attached document."""
MAX_DOCUMENTS = 3

_NAME = re.compile(r"(?<=\s)[A-ZÀ-Þ][\w'-]+")
_VAGUE = frozenset(
    terms("get like have make now know mean thing good far one two three four five six seven eight nine ten")
)
"""Words that say little about the subject of a question."""

Quotation = tuple[str, Passage]


def answering_sentences(
    corpus: Searched, query: str, limit: int, min_coverage: float = MIN_COVERAGE
) -> list[Quotation]:
    """Up to `limit` sentences from up to three documents that match a question best, ordered by document."""
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
                score = covered + 0.15 * bool(DEFINITION.match(sentence)) - 0.01 * rank - 0.03 * place
                scored.append((-score, rank, place, sentence, passage))
    chosen: list[Quotation] = []
    for score, _, _, sentence, passage in sorted(scored, key=lambda one: one[:3]):
        documents = {other.document_id for _, other in chosen}
        if len(chosen) == limit or (len(chosen) >= 2 and -score < min_coverage / 2):
            break
        fits = passage.document_id in documents or len(documents) < MAX_DOCUMENTS
        if fits and not any(is_repetition(sentence, other) for other, _ in chosen):
            chosen.append((sentence, passage))
    order = list(dict.fromkeys(passage.document_id for _, passage in chosen))
    return sorted(chosen, key=lambda one: (order.index(one[1].document_id), one[1].position, one[1].text.find(one[0])))


def is_answer(question: str, sentence: str, source: Passage | None = None) -> bool:
    """Whether a sentence shares enough words with a question: two, a name, or one that is in the source's title too."""
    asked = {one for one in terms(question) if not one.isdecimal()} - _VAGUE
    shared = asked & set(terms(sentence))
    names = set(terms(f"{source.title if source else ''} {' '.join(_NAME.findall(question))}"))
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
