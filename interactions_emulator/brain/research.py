"""Extractive research over the corpus: plan, search, read, look for what is missing, write. Nothing is invented."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from interactions_emulator.brain.answer import Draft, Ids, search_steps, thought
from interactions_emulator.brain.brief import Aspect, Brief, read_brief
from interactions_emulator.brain.heard import hear
from interactions_emulator.brain.lookup import alike, quotable
from interactions_emulator.brain.report import Finding, write_report
from interactions_emulator.corpus import Corpus, Passage
from interactions_emulator.turn import Beat, Turn
from interactions_emulator.words import clip, listed, sentences, terms


class _Bar(NamedTuple):
    """Shares that have to be spoken of: of the aspect by a passage, of the topic by it, of the aspect by a sentence."""

    passage: float
    topic: float
    sentence: float


USUAL, WIDER = _Bar(0.5, 0.3, 0.25), _Bar(0.35, 0.25, 0.35)
PLANNING, WRITING, WHOLE = 60.0, 120.0, 1200.0
"""Virtual seconds of planning, of writing and of the whole research; about what Gemini takes."""
MOST_ROUNDS = 7
ENOUGH_DOCUMENTS = 3
PER_ROUND, PER_DOCUMENT = 12, 4
"""Most sentences taken in one round, and from one document in it."""


@dataclass(frozen=True)
class Round:
    """One search and what was taken from its hits."""

    query: str
    aspect: Aspect
    findings: tuple[Finding, ...]


def research(turn: Turn, corpus: Corpus) -> Iterator[Beat]:
    """The steps of a deep-research agent, spread over 20 virtual minutes.

    `agent_config`: `thinking_summaries` "none" leaves out the thoughts; `collaborative_planning` gives the plan alone.
    """
    heard, ids = hear(turn), Ids(turn)
    brief = read_brief(heard)
    if turn.agent_config.get("collaborative_planning") is True:
        yield Beat(PLANNING, Draft(turn.documents_url).write(_plan(brief)).step())
        return
    thinks = turn.agent_config.get("thinking_summaries") != "none"
    if thinks:
        looking = listed([f"“{aspect.label}”" for aspect in brief.aspects])
        yield Beat(PLANNING, thought(ids, f"**Planning**\n\nThe topic is “{brief.topic}”. I shall look for {looking}."))
    rounds = investigate(brief, corpus)
    share = (WHOLE - WRITING - (PLANNING if thinks else 0.0)) / len(rounds)
    for one in rounds:
        call, result = search_steps(ids, [clip(one.query, 200)])
        yield Beat(share * 0.3, call)
        yield Beat(share * (0.3 if thinks else 0.7), result)
        if thinks:
            yield Beat(share * 0.4, thought(ids, f"**Reading**\n\n{_reading(one)}"))
    findings = [finding for one in rounds for finding in one.findings]
    found = {finding.aspect.label for finding in findings}
    missing = [aspect.label for aspect in brief.aspects if aspect.label not in found]
    yield Beat(WRITING, write_report(brief, findings, missing, turn.documents_url))


def investigate(brief: Brief, corpus: Corpus) -> list[Round]:
    """Searches for the aspects, then for those that nothing was found for, then for what the hits point to."""
    rounds: list[Round] = []
    for aspect in brief.aspects[: MOST_ROUNDS - 2]:
        rounds.append(_round(corpus, brief, aspect.query, aspect, rounds))
    for one in [one for one in rounds if not one.findings][:2]:
        if len(rounds) < MOST_ROUNDS and (narrower := _known(corpus, one.aspect.label)) not in ("", one.query):
            rounds.append(_round(corpus, brief, narrower, one.aspect, rounds))
    while len(rounds) < MOST_ROUNDS and any(one.findings for one in rounds):
        lead = _lead(brief, rounds)
        if lead is None:
            break
        rounds.append(_round(corpus, brief, lead.query, lead, rounds))
    if 0 < len({f.source.document_id for one in rounds for f in one.findings}) < ENOUGH_DOCUMENTS:
        rounds.append(_round(corpus, brief, brief.topic, brief.aspects[0], rounds, WIDER))
    return rounds


def _round(
    corpus: Corpus, brief: Brief, query: str, aspect: Aspect, before: Sequence[Round], bar: _Bar = USUAL
) -> Round:
    """One search. What the brief did not ask for by itself has to speak of the topic in each sentence."""
    known = [finding.sentence for one in before for finding in one.findings]
    lead = aspect not in brief.aspects
    asked, topic, label = (_Weights(corpus, text) for text in (query, brief.topic, aspect.label))
    scored: list[tuple[float, int, int, Finding]] = []
    for rank, passage in enumerate(corpus.search(query, limit=30)):
        whole = f"{passage.title} {passage.heading} {passage.text}"
        near = topic.share(whole)
        if min(passage.score, label.share(whole)) < bar.passage or near < bar.topic:
            continue
        about = asked.share(f"{passage.title} {passage.heading}")
        for place, sentence in enumerate(sentences(passage.text)):
            spoken = asked.share(sentence)
            if not quotable(sentence) or (lead and not topic.share(sentence)):
                continue
            if spoken >= bar.sentence or (spoken and about >= USUAL.passage and bar is USUAL):
                score = spoken + near + passage.score - 0.02 * rank - 0.5 * lead
                scored.append((-score, rank, place, Finding(sentence, passage, aspect, score)))
    taken: list[Finding] = []
    documents: Counter[str] = Counter()
    for _, _, _, finding in sorted(scored, key=lambda one: one[:3]):
        document = finding.source.document_id
        if len(taken) == PER_ROUND:
            break
        if documents[document] < PER_DOCUMENT and not any(alike(finding.sentence, other) for other in known):
            documents[document] += 1
            known.append(finding.sentence)
            taken.append(finding)
    return Round(query, aspect, tuple(taken))


class _Weights:
    """How much of a query a text speaks of, from 0 to 1; rare words weigh more."""

    def __init__(self, corpus: Corpus, query: str) -> None:
        self._weights = {term: weight for term, (weight, _) in corpus.weights(query).items()}
        self._total = sum(self._weights.values()) or 1.0

    def share(self, text: str) -> float:
        return sum(self._weights.get(term, 0.0) for term in set(terms(text))) / self._total


def _known(corpus: Corpus, label: str) -> str:
    """The words of a label that the corpus knows, in their order; "" if it knows none."""
    known = {term for term, (_, count) in corpus.weights(label).items() if count}
    return " ".join(word for word in re.findall(r"[\w'-]+", label) if known & set(terms(word)))


def _lead(brief: Brief, rounds: Sequence[Round]) -> Aspect | None:
    """A heading or title among the best findings that shares a word with the brief and was not searched for yet."""
    searched = [set(terms(one.query)) for one in rounds]
    topic = set(terms(brief.text))
    findings = sorted((f for one in rounds for f in one.findings), key=lambda f: -f.score)
    for finding in findings:
        for name in (finding.source.heading, finding.source.title.partition(": ")[2]):
            stems = set(terms(name))
            shared = len(stems & topic)
            if 1 < len(stems) <= 8 and shared and shared < len(stems) and not any(stems <= one for one in searched):
                return Aspect(clip(name, 80), name)
    return None


def _reading(one: Round) -> str:
    if not one.findings:
        return f"“{clip(one.query, 120)}” is not spoken of in the local documents."
    sources: dict[str, Passage] = {f.source.document_id: f.source for f in one.findings}
    counts = Counter(f.source.document_id for f in one.findings)
    names = [f"“{clip(p.title, 70)}” ({counts[i]} sentence{'s' * (counts[i] > 1)})" for i, p in sources.items()]
    return f"On “{clip(one.query, 120)}” I read {listed(names)}. It says: {clip(one.findings[0].sentence, 180)}"


def _plan(brief: Brief) -> str:
    steps = [f"Search the local documents for “{aspect.label}”." for aspect in brief.aspects]
    steps += ["Look again for what is missing, and for what the documents found point to."]
    form = listed([f"“{name}”" for name in brief.sections]) if brief.sections else ""
    steps += [f"Write the report{f' with the sections {form}' if form else ''}, every sentence quoted and cited."]
    numbered = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
    return (
        f"Research plan for “{brief.topic}”\n\n{numbered}\n\nReply with your approval to start, or say what to change."
    )
