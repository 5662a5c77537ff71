"""Chooses what an agent sees of a conversation: its own events, the user's, and the answers of other agents, cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.adk.events import Event
from google.genai import types

from tools.adk.contents import TRANSFER_TOOL, parts_of, text_of
from tools.text.markdown import code_block

MAX_ANSWER_CHARS = 4_000
"""Other agents get at most this many characters of a specialist's answer, because they get it again in each turn."""
ANSWER_END_CHARS = 500
"""If an answer is longer, this many of the `MAX_ANSWER_CHARS` characters are taken from its end."""


def visible_events(name: str, events: Sequence[Event]) -> list[Event]:
    """Filters `events` for agent `name`: its own events, the user's, and the texts of other agents.

    After a handover by `name`, a specialist's texts become the result of the `transfer_to_agent` call:
    `{"answer": ..., "shown_to_user": true}`. Tool calls and tool results of other agents are left out.
    """
    seen: list[Event] = []
    handover: types.FunctionResponse | None = None
    for event in events:
        if event.author == "user":
            handover = None
            seen.append(event)
        elif event.author == name and event.error_code and not event.interaction_id:
            continue  # an error message for the user, which the model did not write
        elif event.author == name:
            if any(r.name == TRANSFER_TOOL for r in event.get_function_responses()):
                event = event.model_copy(deep=True)
                handover = next(r for r in event.get_function_responses() if r.name == TRANSFER_TOOL)
                handover.response = {"error": "no answer was recorded"}
            seen.append(_with_code_as_text(event))
        elif said := _said(event):
            if handover is None:
                content = types.Content(role="model", parts=[types.Part(text=_shortened(said))])
                seen.append(event.model_copy(update={"content": content}))
            else:
                handover.response = _answer(handover.response, said)
    return seen


def _with_code_as_text(event: Event) -> Event:
    """Converts executed code to text: a code step needs an id, and code from before the Interactions API has no id."""
    parts = parts_of(event.content)
    if event.content is None or not any(part.executable_code or part.code_execution_result for part in parts):
        return event
    parts = [
        types.Part(text=code_block(part.executable_code.code or "", "python"))
        if part.executable_code
        else types.Part(text=code_block(part.code_execution_result.output or ""))
        if part.code_execution_result
        else part
        for part in parts
    ]
    return event.model_copy(update={"content": event.content.model_copy(update={"parts": parts})})


def _answer(result: dict[str, Any] | None, said: str) -> dict[str, Any]:
    before = (result or {}).get("answer", "")
    return {"answer": _shortened(f"{before}\n{said}".strip()), "shown_to_user": True}


def _shortened(text: str) -> str:
    """Keeps the beginning and the end of a long text, because the end may be a question."""
    if len(text) <= MAX_ANSWER_CHARS:
        return text
    return f"{text[: MAX_ANSWER_CHARS - ANSWER_END_CHARS]} […] {text[-ANSWER_END_CHARS:]}"


def _said(event: Event) -> str:
    if event.get_function_calls() or event.get_function_responses():
        return ""
    return text_of(event.content) or (f"error: {event.error_message}" if event.error_code else "")
