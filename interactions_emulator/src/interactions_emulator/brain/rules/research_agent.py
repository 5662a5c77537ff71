"""Researches the corpus: plans, searches for each aspect of the brief, and writes a report of quotations."""

import re
from collections.abc import Iterable, Iterator

from interactions_emulator.brain.answer import Draft
from interactions_emulator.brain.chart_selection import figures
from interactions_emulator.brain.conversation import read_conversation
from interactions_emulator.brain.protocol import TimedStep, Turn
from interactions_emulator.brain.research_run import PLANNING_S, Search, describe_search, research_steps
from interactions_emulator.brain.rules.brief import Brief, parse, plan_of, read_brief
from interactions_emulator.brain.rules.report import Found, write_report
from interactions_emulator.corpus.attached_files import CombinedCorpus, read_documents
from interactions_emulator.corpus.excerpts import MIN_SHARE, Subject, excerpts
from interactions_emulator.corpus.index import Corpus, Passage
from interactions_emulator.corpus.words import join_names, terms

MAX_EXCERPTS, MAX_SINGLE_EXCERPTS = 4, 10
"""Maximum number of excerpts for each of several aspects, and for a single aspect."""


def research(turn: Turn, corpus: Corpus) -> Iterator[TimedStep]:
    """The steps of a deep-research agent: only its plan, or a report, with charts unless `visualization` is "off"."""
    conversation = read_conversation(turn)
    attached = read_documents(conversation.documents)
    titles = [entry.title for entry in attached.corpus.documents()]
    brief = read_brief(conversation) if conversation.asked or not titles else parse(join_names(titles))
    if turn.agent_config.get("collaborative_planning") is True:
        yield TimedStep(PLANNING_S, Draft(turn.documents_url).write(plan_of(brief)).step())
        return
    combined = CombinedCorpus(attached.corpus, corpus)
    aspects = join_names([f"“{aspect}”" for aspect in brief.aspects])
    plan_note = " ".join([f"The topic is “{brief.topic}”. I shall look for {aspects}.", *attached.errors])
    searches, found = _investigate(brief, combined)
    charts = []
    if turn.agent_config.get("visualization") != "off":
        near = [one for one in combined.search(brief.topic, limit=12) if one.score >= MIN_SHARE]
        files = [Passage(one.document_id, one.title, "", "", 0, 1.0) for one in attached.corpus.documents()]
        sources = [*files, *(excerpt.source for _, excerpt in found), *near]
        charts = figures(combined, sources, Subject(combined, brief.topic).share, brief.without)
    report = write_report(brief, found, turn.documents_url, charts, attached.errors)
    yield from research_steps(turn, plan_note, searches, report, charts)


def _investigate(brief: Brief, corpus: CombinedCorpus) -> tuple[list[Search], list[Found]]:
    """Searches for each aspect, with the topic if the aspect is a part of that; if that fails, for its known words."""
    searches, found = list[Search](), list[Found]()
    limit = MAX_SINGLE_EXCERPTS if len(brief.aspects) == 1 else MAX_EXCERPTS
    # Rare aspects first, so that excerpts about a part of the topic are not used for the topic as a whole.
    for aspect in sorted(brief.aspects, key=lambda aspect: -Subject(corpus, aspect).rarity):
        for words in _wordings(corpus, aspect):
            query = f"{words} {brief.topic}" if brief.is_list and aspect != brief.topic else words
            topic = Subject(corpus, brief.topic if words == aspect else words)
            said = [sentence for _, excerpt in found for sentence in excerpt.sentences]
            new = excerpts(corpus, query, Subject(corpus, words), topic, said, brief.without, limit)
            searches.append(describe_search(query, new))
            found += [(aspect, excerpt) for excerpt in new]
            if new:
                break
    return searches, found


def _wordings(corpus: CombinedCorpus, aspect: str) -> Iterable[str]:
    """The aspect, and the part of its words that the corpus contains, if that is more than half."""
    known = Subject(corpus, aspect).known
    words = " ".join(word for word in re.findall(r"[\w'-]+", aspect) if known & set(terms(word)))
    return [aspect, words] if 2 * len(known) >= max(2, len(set(terms(aspect)))) and words != aspect else [aspect]
