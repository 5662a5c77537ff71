"""Writes what a person sees of an answer: its text with sources, each file in a response of its own, or an error."""

from __future__ import annotations

from google.adk.models import LlmResponse
from google.genai import types

from tools.adk.answer_endings import with_ending
from tools.adk.contents import parts_of
from tools.adk.response_collector import ResponseCollector
from tools.interactions.citations import cite
from tools.interactions.source_list import source_list


def to_responses(whole: LlmResponse, collector: ResponseCollector, *, with_sources: bool = True) -> list[LlmResponse]:
    """Splits a whole answer into responses: one for each picture, sound or file, and a last one with everything else.

    Citations become numbers and a list of sources, as in a report. Thoughts are left out, because `adk run` would join
    them to the answer; their signatures are kept, because the model needs them back.
    """
    text, citations = collector.cited()
    if citations and with_sources:
        text, sources = cite(text, citations)
        text = f"{text}\n\n**Sources**\n\n{source_list(sources)}"
    ending = with_ending(whole, collector)
    if ending.error_code and text:
        text = f"{text}\n\n*{ending.error_message}*"
    signatures, calls, media, others = _sorted(whole.content)
    if media and not text and not calls:  # ADK treats a last response without text as an error
        text = "Here it is." if len(media) == 1 else "Here they are."
    answer = [types.Part(text=text)] if text else [] if collector.blocks else others
    if not (answer or calls or media or ending.error_code):  # else ADK ends the turn silently
        ending.error_code, ending.error_message = "EMPTY_ANSWER", "the model answered with nothing; ask again"
    parts = [*signatures, *answer, *calls]
    ending.content = types.Content(role="model", parts=parts) if parts else None
    # Only the last response ends the turn and has the token counts.
    unended = {"usage_metadata": None, "finish_reason": None, "turn_complete": None}
    files = [types.Content(role="model", parts=[part]) for part in media]
    return [*(whole.model_copy(update={"content": file, **unended}) for file in files), ending]


def _sorted(content: types.Content | None) -> tuple[list[types.Part], ...]:
    """Splits parts into thought signatures, function calls, files, and the rest."""
    signatures, calls, media, others = list[types.Part](), list[types.Part](), list[types.Part](), list[types.Part]()
    for part in parts_of(content):
        if part.function_call:
            calls.append(part)
        elif part.thought_signature:
            signatures.append(types.Part(thought=True, thought_signature=part.thought_signature))
        elif part.inline_data or part.file_data:
            media.append(part)
        elif not part.thought:
            others.append(part)
    return signatures, calls, media, others
