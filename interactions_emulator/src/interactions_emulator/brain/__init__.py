"""The emulator's brain: writes answers by rules, deterministically, and invents no facts.

For a model, it takes the first of these actions that fits the tools, schemas and texts of the request: manage research
runs, call the function that fits the message, draw, fill the response schema, report function results, quote attached
documents, talk about the conversation, search the corpus, or say that it cannot answer. For an agent, it researches
the corpus (`rules/deep_research_agent.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

from interactions_emulator.brain.protocol import Brain, Step, TimedStep, Turn
from interactions_emulator.brain.rules import corpus_qa, document_qa, drawing, results, small_talk
from interactions_emulator.brain.rules.answer import Ids, say, sendable
from interactions_emulator.brain.rules.attachments import all_text, read_documents
from interactions_emulator.brain.rules.deep_research_agent import research
from interactions_emulator.brain.rules.desk import answers_question, decide
from interactions_emulator.brain.rules.intents import (
    intent_of,
    is_about_last_answer,
    is_nod,
    split_text,
    split_wishes,
)
from interactions_emulator.brain.rules.managing import FUNCTIONS, manage
from interactions_emulator.brain.rules.parsed_turn import SIGN_OFF, ParsedTurn, parse_turn, without_sign_off
from interactions_emulator.brain.rules.research_phrases import research_intents
from interactions_emulator.brain.rules.schema import fill_schema
from interactions_emulator.brain.rules.tool_calls import (
    AllowedTools,
    allowed_tools,
    function_calls,
    question_for_missing,
)
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
    """The answer to the first wish of a message, and a sentence about its other wishes."""
    parsed, allowed = parse_turn(turn), allowed_tools(turn)
    (first, other), manages = split_wishes(parsed.user_text), allowed.functions >= FUNCTIONS
    note = ""
    if other and (manages or not is_nod(first) or answers_question(parsed, first, allowed.options)):
        parsed = replace(parsed, message=parsed.message and first, user_text=first)
        note = f"Still open: “{other}”. Ask for it next."
    steps = list(_answer(turn, parsed, allowed, corpus))
    last = steps[-1].get("content", [{}])[0]
    if note and steps[-1]["type"] == "function_call" and manages:
        yield {"type": "model_output", "content": [{"type": "text", "text": note}]}
    elif note and "text" in last and turn.response_schema is None:
        last["text"] = f"{without_sign_off(last['text'])}\n\n{note}\n\n{SIGN_OFF}"
    yield from steps


def _answer(turn: Turn, parsed: ParsedTurn, allowed: AllowedTools, corpus: Corpus) -> Iterator[Step]:
    ids = Ids(turn)
    if allowed.functions >= FUNCTIONS:
        yield manage(turn, parsed, ids)
        return
    if not parsed.results:
        decided = decide(parsed, allowed.functions, allowed.options, ids) if parsed.message else None
        steps = [decided] if decided else list(function_calls(parsed, allowed, ids))
        if steps:
            yield from steps
            return
    if "image" in turn.modalities and not parsed.results:
        yield drawing.step(turn, parsed)
        return
    if turn.response_schema is not None:
        source_text = results.report_results(parsed) if parsed.results else split_text(parsed.message).text
        if parsed.new_documents:
            source_text = f"{source_text}\n\n{all_text(read_documents(parsed.documents).corpus)}"
        value = fill_schema(turn.response_schema, source_text)
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        yield {"type": "model_output", "content": [{"type": "text", "text": text}]}
        return
    if parsed.results:
        yield say(results.report_results(parsed))
        return
    yield from _text_answer(turn, parsed, allowed, corpus, ids)


def _text_answer(turn: Turn, parsed: ParsedTurn, allowed: AllowedTools, corpus: Corpus, ids: Ids) -> Iterator[Step]:
    message, intent = parsed.message, intent_of(parsed.message)
    asks = intent in ("lookup", "study", "judge")
    has_report = not allowed.types and small_talk.has_report(parsed)
    text: str | None = None
    attached = read_documents(parsed.documents) if parsed.documents else None
    if attached and parsed.new_documents:
        draft = document_qa.answer(attached, message, small_talk.attachments_note(parsed.attachments))
        if draft or not (asks and "google_search" in allowed.types):
            yield draft.step() if draft else say(document_qa.nothing_found(attached, message))
            return
    if not message:
        text = "" if parsed.attachments else f"I was sent no text. {small_talk.abilities(allowed.options, turn)}"
    elif parsed.last_answer and (
        is_about_last_answer(message) or (has_report and "made_of_report" in research_intents(message))
    ):
        text = small_talk.about_last_answer(parsed)
    else:
        text = question_for_missing(parsed, allowed) or small_talk.small_talk(parsed, allowed.options, turn)
        if text is None and (
            has_report or (asks and "google_search" not in allowed.types) or _BACK_REFERENCE.search(message)
        ):
            text = small_talk.from_last_answer(parsed)
        if text is None and attached and (asks or document_qa.names_document(message)):
            about = message if not document_qa.overview_asked(message) or document_qa.names_document(message) else "?"
            if draft := document_qa.answer(attached, about):
                yield draft.step()
                return
        if text is None and asks and "google_search" in allowed.types:
            yield from corpus_qa.answer(corpus, message, turn.documents_url, ids)
            return
    if text is None:
        text = small_talk.NOT_IN_REPORT if has_report else small_talk.no_answer(parsed, allowed.options, turn)
    yield say(f"{small_talk.attachments_note(parsed.attachments)}\n\n{text}".strip() if parsed.attachments else text)


_BACK_REFERENCE = re.compile(r"\b(?:report|study|above|it|you (?:said|wrote))\b", re.IGNORECASE)
