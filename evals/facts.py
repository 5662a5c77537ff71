"""What can be known of one of ADK's invocations, played or expected alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.adk.evaluation.eval_case import IntermediateData, Invocation, InvocationEvents, get_all_tool_calls
from google.genai import types

from evals.prose import Prose, read_prose

_BEGINS = re.compile(r"🔎 Research\b.* begins|Nothing was started: ")
"""What a research begins with (`tools.research.texts.started`), or would if the limits had not been reached. In an
expected invocation an intermediate response of the researcher with this says that one is to begin."""

_VERDICT = re.compile(r"\*\*Verdict: (?:not safe, )?(?P<category>\w+)\*\*(?: \(confidence (?P<confidence>[\d.]+)\))?")


@dataclass(frozen=True)
class Facts:
    """Of one turn."""

    asked: str
    text: str
    """The answer that the turn ends with."""
    routes: tuple[str, ...]
    """Whom the desk handed over to, in order; itself if to nobody. Of an expected turn: each that is right."""
    tools: tuple[tuple[str, Mapping[str, Any]], ...]
    """Other calls of functions, with their arguments."""
    research: bool
    """Whether a research begins, or would within other limits."""
    verdicts: tuple[tuple[str, float | None], ...]
    """Categories of a moderation, with the confidence. Of an expected turn: each that is right, the best one first."""

    @property
    def route(self) -> str:
        """Who answers."""
        return self.routes[-1]

    @cached_property
    def prose(self) -> Prose:
        """The answer taken apart."""
        return read_prose(self.text)


def facts_of(invocation: Invocation) -> Facts:
    """Reads an invocation."""
    calls = [(call.name or "", call.args or {}) for call in get_all_tool_calls(invocation.intermediate_data)]
    text = text_of(invocation.final_response)
    said = [text, *_between(invocation)]
    return Facts(
        asked=text_of(invocation.user_content),
        text=text,
        routes=tuple(str(args.get("agent_name")) for name, args in calls if name == "transfer_to_agent") or ("desk",),
        tools=tuple((name, args) for name, args in calls if name != "transfer_to_agent"),
        research=any(_BEGINS.match(each) for each in said),
        verdicts=tuple(
            (match["category"], float(match["confidence"]) if match["confidence"] else None)
            for match in _VERDICT.finditer(text)
        ),
    )


def text_of(content: types.Content | None) -> str:
    """What a content says, without thoughts."""
    return "\n".join(part.text for part in (content.parts if content else None) or () if part.text and not part.thought)


def _between(invocation: Invocation) -> Iterator[str]:
    data = invocation.intermediate_data
    if isinstance(data, InvocationEvents):
        yield from (text_of(event.content) for event in data.invocation_events)
    elif isinstance(data, IntermediateData):
        yield from (part.text or "" for _, parts in data.intermediate_responses for part in parts)
