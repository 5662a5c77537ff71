"""Answers questions by quoting the corpus, or a given text such as an earlier report."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from interactions_emulator.brain.protocol import Step
from interactions_emulator.brain.rules.answer import Draft, Ids, search_steps
from interactions_emulator.brain.rules.arguments import NUMBER_WORDS, subject_of
from interactions_emulator.corpus.index import Corpus, Passage
from interactions_emulator.corpus.words import SENTENCE_ENDS, UNSPACED, join_names, sentences, stem, terms

MIN_COVERAGE = 0.6
"""Minimum share of a question's words, from 0 to 1, in a passage that answers it."""
MAX_SENTENCES = 4
MAX_DOCUMENTS = 3


def answer(corpus: Corpus, question: str, documents_url: str, ids: Ids) -> Iterator[Step]:
    """Searches the corpus; the answer quotes what it finds, or says that it found nothing."""
    query = subject_of(question)
    yield from search_steps(ids, [query[:200]])
    found = [
        (sentence, passage)
        for sentence, passage in relevant_sentences(corpus, query)
        if is_about(query, sentence, f"{passage.title} {passage.heading}")
    ]
    draft = Draft(documents_url)
    if not found:
        draft.write(f"Nothing about “{query[:200]}” was found in the local documents.")
        draft.write(" I am an emulator: I search local documents only, not the web, and I do not guess.")
    else:
        names = join_names([f"“{title}”" for title in dict.fromkeys(passage.title for _, passage in found)])
        draft.write(f"From the local documents ({names}):\n\n")
        write_quotations(draft, found)
    yield draft.step()


def is_about(question: str, sentence: str, title: str) -> bool:
    """Whether a sentence from a document with that title shares enough words with a question to answer it.

    Numerals and words such as "get" do not count. Two words, a name or the word in "What is …?" suffice. Any other word
    must be in the title too, and does not suffice for a question about "them".
    """
    asked = {one for one in terms(question) if not one.isdecimal()} - _VAGUE
    shared = asked & set(terms(sentence))
    names = set(terms(" ".join(_NAME.findall(question))))
    if len(shared) >= 2 or shared & names or (shared and _WHAT_IS.match(question)):
        return True
    return bool(shared and asked & set(terms(title)) and not _PRONOUN.search(question))


_VAGUE = frozenset((*terms("get like have make need now want know mean thing good"), *map(stem, NUMBER_WORDS)))
_PRONOUN = re.compile(r"\b(?:they|them|these|those)\b", re.IGNORECASE)
_WHAT_IS = re.compile(r"(?:what|who)(?:'s|\s(?:is|are|was|were))\s", re.IGNORECASE)
_NAME = re.compile(r"(?<=\s)[A-ZÀ-Þ][\w'-]+")


def write_quotations(draft: Draft, found: Sequence[tuple[str, Passage]]) -> Draft:
    """Appends sentences with their citations, a paragraph for each document."""
    for number, (sentence, passage) in enumerate(found):
        draft.write(
            " " if number and found[number - 1][1].document_id == passage.document_id else "\n\n" * bool(number)
        )
        draft.quote(sentence, passage)
    return draft


def relevant_sentences(corpus: Corpus, query: str, min_coverage: float = MIN_COVERAGE) -> list[tuple[str, Passage]]:
    """Up to four sentences from up to three documents that match the query.

    The result is [] if no passage has at least the share `min_coverage` of the query's words.
    """
    weights = {term: weight for term, (weight, _) in corpus.weights(query).items()}
    rarest = max(weights, key=lambda term: weights[term], default="")
    passages = [
        passage
        for passage in corpus.search(query, limit=12)
        if passage.score >= min_coverage
        and (
            min_coverage < MIN_COVERAGE
            or len(weights) > 5
            or rarest in terms(f"{passage.title} {passage.heading} {passage.text}")
        )
    ]
    if not passages:
        return []
    scored: list[tuple[float, int, int, str, Passage]] = []
    for rank, passage in enumerate(passages):
        about = set(terms(f"{passage.title} {passage.heading}"))
        for place, sentence in enumerate(sentences(passage.text)):
            if quotable(sentence, alone=min_coverage >= MIN_COVERAGE):
                sentence_stems = set(terms(sentence))
                covered = sum(
                    w * (1.0 if t in sentence_stems else 0.5 if t in about else 0.0) for t, w in weights.items()
                )
                defines = 0.15 * bool(re.match(r"(?:An?|The)?\s?[\w\s`'-]{1,40}\b(?:is|are)\s(?:an?|the)\b", sentence))
                score = covered / sum(weights.values()) + defines - 0.02 * rank - 0.03 * place
                scored.append((-score, rank, place, sentence, passage))
    scored.sort(key=lambda one: one[:3])
    chosen: list[tuple[str, Passage]] = []
    for score, _, _, sentence, passage in scored:
        documents = {other.document_id for _, other in chosen}
        if len(chosen) == MAX_SENTENCES or (len(chosen) >= 2 and -score < min_coverage / 2):
            break
        if passage.document_id not in documents and len(documents) == MAX_DOCUMENTS:
            continue
        if not any(nearly_equal(sentence, other) for other, _ in chosen):
            chosen.append((sentence, passage))
    order = list(dict.fromkeys(passage.document_id for _, passage in chosen))
    chosen.sort(key=lambda one: (order.index(one[1].document_id), one[1].position, one[1].text.find(one[0])))
    return chosen


def best_sentences(text: str, question: str, limit: int) -> list[str]:
    """Up to `limit` sentences of a text that match the question best, in order; without a question, its main ones."""
    body = [
        line
        for line in text.splitlines()
        if line.strip() and not line.lstrip().startswith(("#", "|", ">", "```", "*Written"))
    ]
    pool = [
        re.sub(r"\s*\[\d+\]", "", one) for line in body for one in sentences(re.sub(r"^\s*(?:[-*]|\d+\.)\s+", "", line))
    ]
    pool = list(dict.fromkeys(one for one in pool if quotable(one)))
    asked = set(terms(question))
    frequency: dict[str, int] = {}
    for one in pool:
        for term in set(terms(one)):
            frequency[term] = frequency.get(term, 0) + 1
    ranked = []
    for place, one in enumerate(pool):
        own = set(terms(one))
        shared = asked & own
        weight = 10.0 * sum(1 / frequency[term] ** 0.5 for term in shared) if asked else 0.0
        weight += sum(frequency[term] for term in own) / (len(own) + 6)
        if not asked or shared:
            ranked.append((-weight, place, one))
    chosen: list[tuple[int, str]] = []
    for _, place, one in sorted(ranked):
        if len(chosen) < limit and not any(nearly_equal(one, other) for _, other in chosen):
            chosen.append((place, one))
    return [one for _, one in sorted(chosen)]


def quotable(sentence: str, alone: bool = True) -> bool:
    """Whether a sentence can be quoted: complete, made of words and, if `alone`, clear without its context."""
    wide = bool(re.search(f"[{UNSPACED}]", sentence))
    last = sentence.rstrip("\"'”’»)")[-1:]
    ended = last in SENTENCE_ENDS or "\u0e00" <= last < "\u0f00"  # Thai and Lao have no full stop
    if not (10 if wide else 35) <= len(sentence) <= 420 or not ended:
        return False
    first = next(filter(str.isalnum, sentence[:4]), "")
    if not wide and (len(sentence.split()) < 5 or not first or (first.islower() and sentence[0] != "`")):
        return False
    if alone and _NEEDS_CONTEXT.match(sentence):
        return False
    return not re.search(
        r"^\[\d+\]|https?://|\s[=|]\s|[{}\\^]|\(\)\.|`{3}|\.\.\.$|\b(?:here|below|above)\.$|:\s*\.$", sentence
    )


_NEEDS_CONTEXT = re.compile(
    r"(?:This|These|Those|That|Such)(?! (?:module|package|library|class|function|guide|document|project|chapter"
    r"|book|paper|report)\b)"
    r"|(?:It|They|He|She|We|I|However|But|And|Or|So|Also|Thus|Therefore|Then|See|Here|There|For example"
    r"|For instance|By comparison|Instead|In this case"
    r"|Similarly|Likewise|Otherwise|Finally|First|Second|Third|Next|As above|For (?:more|further|additional)"
    r"|The above|The following|PEP \d+ -)\b"
    r"|(?i:please|copyright|refer to|thanks?|check out|visit|read the|click|licensed|if (?:you|your \w+) (?:want"
    r"|wish|like|benefit|find))\b"
)
"""Matches a sentence that refers to the sentence before, or that addresses the reader."""


def nearly_equal(one: str, other: str) -> bool:
    """Whether two sentences have nearly the same words."""
    a, b = set(terms(one)), set(terms(other))
    return len(a & b) >= 0.7 * max(1, min(len(a), len(b)))
