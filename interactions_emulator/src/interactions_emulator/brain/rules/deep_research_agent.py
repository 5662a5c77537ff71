"""Researches the corpus: plans, searches, searches again for missing aspects, and writes a report of quotations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from interactions_emulator.brain.protocol import TimedStep, Turn
from interactions_emulator.brain.rules.answer import Draft, Ids, search_steps, thought
from interactions_emulator.brain.rules.attachments import ATTACHED, CombinedCorpus, read_documents
from interactions_emulator.brain.rules.brief import Aspect, Brief, parse, read_brief
from interactions_emulator.brain.rules.charts import Figure, figures
from interactions_emulator.brain.rules.corpus_qa import nearly_equal, quotable
from interactions_emulator.brain.rules.drawing import image
from interactions_emulator.brain.rules.parsed_turn import parse_turn
from interactions_emulator.brain.rules.plan_edits import agreed_brief, plan_of
from interactions_emulator.brain.rules.report import Finding, write_report
from interactions_emulator.corpus.index import Corpus, Passage
from interactions_emulator.corpus.words import clip, join_names, sentences, terms
from interactions_emulator.synthetic.pictures import draw_chart


class _Thresholds(NamedTuple):
    """Minimum shares of words, from 0 to 1, for a sentence to be quoted."""

    passage: float
    """Share of the aspect's words in the passage."""
    topic: float
    """Share of the topic's words in the passage."""
    sentence: float
    """Share of the query's words in the sentence."""


DEFAULT_THRESHOLDS, LENIENT_THRESHOLDS = _Thresholds(0.5, 0.3, 0.25), _Thresholds(0.35, 0.25, 0.35)
"""For the searches of a run, and for a last search if they found too few documents."""
ATTACHED_THRESHOLDS = _Thresholds(0.3, 0.2, 0.2)
"""For documents that came with the brief."""
PLANNING_S, WRITING_S, RUN_S = 60.0, 120.0, 1200.0
"""Virtual seconds of planning, of writing and of the whole run, which takes about as long as with Gemini."""
MAX_ROUNDS, MAX_SECOND_SEARCHES = 7, 3
"""Maximum number of searches for a brief with few aspects, and of aspects for which a second search is made."""
MIN_DOCUMENTS = 3
"""If a run has quoted fewer documents than this, it searches once more with `LENIENT_THRESHOLDS`."""
MAX_PER_ROUND, MAX_PER_DOCUMENT = 12, 4
"""Maximum number of sentences taken in one round, and from one document in a round."""


_PREPOSITION = re.compile(r"(?i)\s(?:for|with|in|on|of|from|by|at|to|that|which|für|mit|von|pour|avec|para|con)\s")


@dataclass(frozen=True)
class Round:
    """One search and its findings."""

    query: str
    aspect: Aspect
    findings: tuple[Finding, ...]


def research(turn: Turn, corpus: Corpus) -> Iterator[TimedStep]:
    """The steps of a deep-research agent, spread over 20 virtual minutes.

    `agent_config`: `thinking_summaries` "none" leaves out the thoughts; `collaborative_planning` returns only the plan;
    `visualization` "off" leaves out the charts.
    """
    parsed, ids = parse_turn(turn), Ids(turn)
    attached = read_documents(parsed.documents)
    titles = join_names([entry.title for entry in attached.corpus.documents()])
    brief = agreed_brief(parsed) or (read_brief(parsed) if parsed.user_text or not titles else parse(titles))
    combined = CombinedCorpus(attached.corpus, corpus)
    if turn.agent_config.get("collaborative_planning") is True:
        yield TimedStep(PLANNING_S, Draft(turn.documents_url).write(plan_of(brief)).step())
        return
    with_thoughts = turn.agent_config.get("thinking_summaries") != "none"
    if with_thoughts:
        aspects = join_names([f"“{aspect.label}”" for aspect in brief.aspects])
        plan_note = f"The topic is “{brief.topic}”. I shall look for {aspects}."
        yield TimedStep(PLANNING_S, thought(ids, f"**Planning**\n\n{' '.join([plan_note, *attached.errors])}"))
    rounds = investigate(brief, combined)
    seconds_per_round = (RUN_S - WRITING_S - (PLANNING_S if with_thoughts else 0.0)) / len(rounds)
    for one in rounds:
        call, result = search_steps(ids, [clip(one.query, 200)])
        yield TimedStep(seconds_per_round * 0.3, call)
        yield TimedStep(seconds_per_round * (0.3 if with_thoughts else 0.7), result)
        if with_thoughts:
            yield TimedStep(seconds_per_round * 0.4, thought(ids, f"**Reading**\n\n{_reading_note(one)}"))
    findings = _redistributed(brief, combined, [finding for one in rounds for finding in one.findings])
    found = {finding.aspect.label for finding in findings}
    missing = [aspect.label for aspect in brief.aspects if aspect.label not in found]
    charts: list[Figure] = []
    if turn.agent_config.get("visualization") != "off":
        topic = _Weights(combined, brief.topic)
        near_passages = [
            one for one in combined.search(brief.topic, limit=12) if one.score >= DEFAULT_THRESHOLDS.passage
        ]
        attached_passages = [Passage(one.document_id, one.title, "", "", 0, 1.0) for one in attached.corpus.documents()]
        charts = figures(
            combined,
            [*attached_passages, *(one.source for one in findings), *near_passages],
            topic.share,
            brief.without,
        )
    yield TimedStep(WRITING_S, write_report(brief, findings, missing, turn.documents_url, charts, attached.errors))
    for figure in charts:
        yield TimedStep(0.0, {"type": "model_output", "content": [image(draw_chart(figure.chart))]})


def investigate(brief: Brief, corpus: CombinedCorpus) -> list[Round]:
    """Searches for each aspect, again for aspects without findings, and then for headings of the best findings."""
    rounds: list[Round] = []
    for aspect in brief.aspects:
        rounds.append(_round(corpus, brief, aspect.query, aspect, rounds))
    max_rounds = max(MAX_ROUNDS, len(rounds) + MAX_SECOND_SEARCHES)
    for one in [one for one in rounds if not one.findings][:MAX_SECOND_SEARCHES]:
        if (narrower := _known_words(corpus, one.aspect.label)) not in ("", one.query):
            rounds.append(_round(corpus, brief, narrower, one.aspect, rounds))
    while len(rounds) < max_rounds and any(one.findings for one in rounds):
        subject = _next_subject(brief, rounds)
        if subject is None:
            break
        rounds.append(_round(corpus, brief, subject.query, subject, rounds))
    head = _PREPOSITION.split(brief.topic)[0]
    if head != brief.topic and not any(one.findings for one in rounds):
        aspect = Aspect(head, head)
        rounds.append(_round(corpus, replace(brief, topic=head, aspects=(aspect,)), head, aspect, rounds))
    if 0 < len({f.source.document_id for one in rounds for f in one.findings}) < MIN_DOCUMENTS:
        rounds.append(_round(corpus, brief, brief.topic, brief.aspects[0], rounds, LENIENT_THRESHOLDS))
    return rounds


def _round(
    corpus: CombinedCorpus,
    brief: Brief,
    query: str,
    aspect: Aspect,
    before: Sequence[Round],
    thresholds: _Thresholds = DEFAULT_THRESHOLDS,
) -> Round:
    """Makes one search. For an aspect that is not in the brief, each quoted sentence must have words of the topic."""
    known = [finding.sentence for one in before for finding in one.findings]
    is_new_subject = aspect not in brief.aspects
    without = [set(terms(one)) for one in brief.without]
    asked, topic, label = (_Weights(corpus, text) for text in (query, brief.topic, aspect.label))
    scored: list[tuple[float, int, int, Finding]] = []
    for rank, passage in enumerate(corpus.search(query, limit=30)):
        whole = f"{passage.title} {passage.heading} {passage.text}"
        topic_share = topic.share(whole)
        needed = ATTACHED_THRESHOLDS if passage.document_id.startswith(ATTACHED) else thresholds
        if min(passage.score, label.share(whole)) < needed.passage or topic_share < needed.topic:
            continue
        about = asked.share(f"{passage.title} {passage.heading}")
        for place, sentence in enumerate(sentences(passage.text)):
            covered = asked.share(sentence)
            if not quotable(sentence) or (is_new_subject and not topic.share(sentence)):
                continue
            if any(one <= set(terms(f"{passage.heading} {sentence}")) for one in without):
                continue
            if covered >= needed.sentence or (
                covered and about >= DEFAULT_THRESHOLDS.passage and thresholds is DEFAULT_THRESHOLDS
            ):
                score = covered + topic_share + passage.score - 0.02 * rank - 0.5 * is_new_subject
                scored.append((-score, rank, place, Finding(sentence, passage, aspect, score)))
    taken: list[Finding] = []
    documents: Counter[str] = Counter()
    for _, _, _, finding in sorted(scored, key=lambda one: one[:3]):
        document = finding.source.document_id
        if len(taken) == MAX_PER_ROUND:
            break
        if documents[document] < MAX_PER_DOCUMENT and not any(nearly_equal(finding.sentence, other) for other in known):
            documents[document] += 1
            known.append(finding.sentence)
            taken.append(finding)
    return Round(query, aspect, tuple(taken))


class _Weights:
    """Measures the share of a query's words in a text, from 0 to 1; rare words weigh more."""

    def __init__(self, corpus: CombinedCorpus, query: str) -> None:
        self._weights = {term: weight for term, (weight, _) in corpus.weights(query).items()}
        self._total = sum(self._weights.values()) or 1.0

    def share(self, text: str) -> float:
        return sum(self._weights.get(term, 0.0) for term in set(terms(text))) / self._total


def _redistributed(brief: Brief, combined: CombinedCorpus, findings: list[Finding]) -> list[Finding]:
    """The findings, some moved to another aspect: an aspect without findings gets those of others that are about it."""
    for aspect in brief.aspects:
        if any(finding.aspect == aspect for finding in findings):
            continue
        label = _Weights(combined, aspect.label)
        left = Counter(finding.aspect for finding in findings)
        for place, finding in enumerate(findings):
            if left[finding.aspect] > 1 and label.share(f"{finding.source.heading} {finding.sentence}") > 0.9:
                left[finding.aspect] -= 1
                findings[place] = replace(finding, aspect=aspect)
    return findings


def _known_words(corpus: CombinedCorpus, label: str) -> str:
    """The words of a label that occur in the corpus, in their order; "" if none does."""
    known = {term for term, (_, count) in corpus.weights(label).items() if count}
    return " ".join(word for word in re.findall(r"[\w'-]+", label) if known & set(terms(word)))


def _next_subject(brief: Brief, rounds: Sequence[Round]) -> Aspect | None:
    """The next subject to search for: the heading or title of the best findings that shares words with the brief."""
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


def _reading_note(one: Round) -> str:
    if not one.findings:
        return f"The local documents do not mention “{clip(one.query, 120)}”."
    sources: dict[str, Passage] = {f.source.document_id: f.source for f in one.findings}
    counts = Counter(f.source.document_id for f in one.findings)
    names = [f"“{clip(p.title, 70)}” ({counts[i]} sentence{'s' * (counts[i] > 1)})" for i, p in sources.items()]
    return f"On “{clip(one.query, 120)}” I read {join_names(names)}. It says: {clip(one.findings[0].sentence, 180)}"
