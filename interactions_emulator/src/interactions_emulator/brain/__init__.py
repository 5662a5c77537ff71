"""The emulator's brain: writes answers by rules, deterministically, and invents no facts.

For a model, it takes the first action that fits the request: manage research runs, call a function, draw, fill the
response schema, report function results, quote attached documents, talk about the conversation, search the corpus, or
say that it cannot answer. For an agent, it researches the corpus.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from interactions_emulator.brain.answer import Ids, say, sendable, with_paragraph
from interactions_emulator.brain.conversation import Conversation, read_conversation
from interactions_emulator.brain.drawing import draw
from interactions_emulator.brain.protocol import Brain, Step, TimedStep, Turn
from interactions_emulator.brain.rules import quotations, research_tools
from interactions_emulator.brain.rules.function_results import report_result
from interactions_emulator.brain.rules.message import first_wish, read_message, split_text
from interactions_emulator.brain.rules.research_agent import research
from interactions_emulator.brain.rules.schema_filling import fill_schema
from interactions_emulator.brain.rules.small_talk import abilities, no_answer, small_talk
from interactions_emulator.brain.rules.tool_selection import Tools, function_calls, read_tools
from interactions_emulator.corpus.attached_files import all_text, media_note, read_documents
from interactions_emulator.corpus.index import Corpus


def make_brain(corpus: Corpus) -> Brain:
    """Return a brain that answers only from `corpus` and the turn."""

    def brain(turn: Turn) -> Iterator[TimedStep]:
        steps = research(turn, corpus) if turn.is_agent else (TimedStep(0.0, step) for step in _chat(turn, corpus))
        for wait, step in steps:
            yield TimedStep(wait, sendable(step))

    return brain


def _chat(turn: Turn, corpus: Corpus) -> Iterator[Step]:
    conversation, tools, ids = read_conversation(turn), read_tools(turn), Ids(turn)
    wish, rest = first_wish(conversation.asked)
    conversation.message, conversation.asked = conversation.message and wish, wish
    still_open = f"Still open: “{rest}”. Ask for it next."
    for step in _first_steps(turn, conversation, tools, corpus, ids):
        if rest and step["type"] == "function_call" and tools.functions >= research_tools.FUNCTIONS:
            yield say(still_open)  # the agent ends the turn after the call
        yield with_paragraph(step, still_open) if rest else step


def _first_steps(turn: Turn, conversation: Conversation, tools: Tools, corpus: Corpus, ids: Ids) -> Iterator[Step]:
    """The steps that fulfil the first wish of the message."""
    if tools.functions >= research_tools.FUNCTIONS:
        yield from research_tools.manage(turn, conversation, ids)
        return
    calls, question = function_calls(conversation, tools, ids) if conversation.message else ([], "")
    reports = "\n\n".join(report_result(step, conversation.asked) for step in conversation.results)
    if calls:
        yield from calls
    elif "image" in turn.modalities and not reports:
        yield draw(turn, conversation.asked, media_note(conversation.media))
    elif turn.response_schema is not None:
        told, text = split_text(conversation.message)
        is_instruction = ". " not in told or read_message(conversation.message).has("judge")
        text = reports or (text if is_instruction else conversation.message)
        if conversation.has_new_documents:
            text = f"{text}\n\n{all_text(read_documents(conversation.documents).corpus)}"
        value = json.dumps(fill_schema(turn.response_schema, text), ensure_ascii=False, separators=(",", ":"))
        yield {"type": "model_output", "content": [{"type": "text", "text": value}]}
    elif reports or question:
        yield say(reports or question)
    else:
        yield from _answer(turn, conversation, tools, corpus, ids)


def _answer(turn: Turn, conversation: Conversation, tools: Tools, corpus: Corpus, ids: Ids) -> Iterator[Step]:
    """The answer in words to a message that needs no function."""
    message, note = read_message(conversation.message), media_note(conversation.media)
    searches = "google_search" in tools.types
    text = small_talk(conversation, message, tools) if message.text else None
    if conversation.documents and text is None and not message.has("do", "draw"):
        may_pass = searches or not conversation.has_new_documents
        attached = read_documents(conversation.documents)
        if draft := quotations.answer_from_files(attached, message.text, note, may_pass):
            yield draft.step()
            return
        if conversation.has_new_documents:
            note = f"{note} {quotations.nothing_in(attached)}.".lstrip()
    if text is None and message.text and (message.has("continue", "report") or not searches):
        may_pass = bool(tools.options) and not message.has("ask", "continue", "report")
        text = quotations.answer_from_earlier(conversation, message, may_pass)
    if text is None and searches and message.has("ask", "topic", "order", "judge"):
        yield from quotations.answer_from_corpus(corpus, message.text, turn.documents_url, ids, note)
        return
    if text is None and not note:
        text = no_answer(message, tools) if message.text else f"I was sent no text. {abilities(tools)}"
    yield say(f"{note}\n\n{text or ''}".strip())
