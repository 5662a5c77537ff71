"""The emulator's brain: writes answers by rules, deterministically, and invents no facts.

For a model, it does the first of these that fits the tools, schemas and texts of the request: manage research runs,
call the function that fits the message, draw, fill the response schema, report function results, quote attached
documents, talk about the conversation, search the corpus, or say that it cannot answer. For an agent, it researches
the corpus (`rules/research.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from interactions_emulator.brain.protocol import Brain, Step, TimedStep, Turn
from interactions_emulator.brain.rules import corpus_qa, document_qa, drawing, results, small_talk
from interactions_emulator.brain.rules.answer import Ids, say, sendable
from interactions_emulator.brain.rules.attachments import all_text, read_documents
from interactions_emulator.brain.rules.deep_research_agent import research
from interactions_emulator.brain.rules.desk import decide
from interactions_emulator.brain.rules.intents import intent_of, is_about_last_answer, split_text
from interactions_emulator.brain.rules.managing import FUNCTIONS, manage
from interactions_emulator.brain.rules.parsed_turn import ParsedTurn, parse_turn
from interactions_emulator.brain.rules.research_phrases import wishes_of
from interactions_emulator.brain.rules.schema import fill_schema
from interactions_emulator.brain.rules.tool_calls import Allowed, allowed_by, calls, question_back
from interactions_emulator.corpus.index import Corpus

__all__ = ["make_brain"]


def make_brain(corpus: Corpus) -> Brain:
    """Return a brain that answers only from `corpus` and the turn."""

    def brain(turn: Turn) -> Iterator[TimedStep]:
        if turn.is_agent:
            for wait, step in research(turn, corpus):
                yield TimedStep(wait, sendable(step))
        else:
            for step in _chat(turn, corpus):
                yield TimedStep(0.0, sendable(step))

    return brain


def _chat(turn: Turn, corpus: Corpus) -> Iterator[Step]:
    heard, ids, allowed = parse_turn(turn), Ids(turn), allowed_by(turn)
    if allowed.functions >= FUNCTIONS:
        yield manage(turn, heard, ids)
        return
    if not heard.results:
        own = decide(heard, allowed.functions, allowed.options, ids) if heard.message else None
        called = [own] if own else list(calls(heard, allowed, ids))
        if called:
            yield from called
            return
    if "image" in turn.modalities and not heard.results:
        yield drawing.step(turn, heard)
        return
    if turn.response_schema is not None:
        told = results.tell(heard) if heard.results else split_text(heard.message).text
        if heard.new_documents:
            told = f"{told}\n\n{all_text(read_documents(heard.documents).corpus)}"
        filled = fill_schema(turn.response_schema, told)
        text = json.dumps(filled, ensure_ascii=False, separators=(",", ":"))
        yield {"type": "model_output", "content": [{"type": "text", "text": text}]}
        return
    if heard.results:
        yield say(results.tell(heard))
        return
    yield from _words(turn, heard, allowed, corpus, ids)


def _words(turn: Turn, heard: ParsedTurn, allowed: Allowed, corpus: Corpus, ids: Ids) -> Iterator[Step]:
    message, intent = heard.message, intent_of(heard.message)
    asks = intent in ("lookup", "study", "judge")
    reported = not allowed.types and small_talk.last_was_report(heard)
    text: str | None = None
    attached = read_documents(heard.documents) if heard.documents else None
    if attached and heard.new_documents:
        draft = document_qa.answer(attached, message, small_talk.seen(heard.attachments))
        if draft or not (asks and "google_search" in allowed.types):
            yield draft.step() if draft else say(document_qa.silent(attached, message))
            return
    if not message:
        text = "" if heard.attachments else f"I was sent no text. {small_talk.abilities(allowed.options, turn)}"
    elif heard.last_answer and (is_about_last_answer(message) or (reported and "made_of_report" in wishes_of(message))):
        text = small_talk.about_last_answer(heard)
    else:
        text = question_back(heard, allowed) or small_talk.small_talk(heard, allowed.options, turn)
        if text is None and (
            reported or (asks and "google_search" not in allowed.types) or _POINTS_BACK.search(message)
        ):
            text = small_talk.from_last_answer(heard)
        if text is None and attached and (asks or document_qa.names_document(message)):
            about = message if not document_qa.overview_asked(message) or document_qa.names_document(message) else "?"
            if draft := document_qa.answer(attached, about):
                yield draft.step()
                return
        if text is None and asks and "google_search" in allowed.types:
            yield from corpus_qa.answer(corpus, message, turn.documents_url, ids)
            return
    if text is None:
        text = small_talk.NOT_IN_REPORT if reported else small_talk.unable(heard, allowed.options, turn)
    yield say(f"{small_talk.seen(heard.attachments)}\n\n{text}".strip() if heard.attachments else text)


_POINTS_BACK = re.compile(r"\b(?:report|study|above|it|you (?:said|wrote))\b", re.IGNORECASE)
