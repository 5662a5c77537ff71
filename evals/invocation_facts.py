"""What can be known of one of ADK's invocations, played or expected alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.adk.evaluation.eval_case import Invocation, get_all_tool_calls_with_responses
from google.genai import types

from evals.effects import ORDERS, WANTED, YESES, Act, Effect, Wanted, acts_of
from evals.markdown_parser import Prose, read_prose

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
    acts: tuple[Act, ...]
    """What the tools for research did. Of an expected turn: nothing."""
    wanted: Wanted | None
    """Of an expected turn: what they should do; none: nothing is said about it, and no run is wanted."""
    verdicts: tuple[tuple[str, float | None], ...]
    """Categories of a moderation, with the confidence. Of an expected turn: each that is right, the best one first."""

    @property
    def route(self) -> str:
        """Who answers."""
        return self.routes[-1]

    @property
    def effects(self) -> tuple[Effect, ...]:
        """What the tools for research did, or should: of an expected turn each that is right, the best one first."""
        found = self.wanted.effects if self.wanted else tuple(act.effect for act in self.acts)
        return found or ("none",)

    @property
    def research(self) -> bool:
        """Whether a run was ordered, or would have been within other limits."""
        return self.effects[0] in ORDERS if self.wanted else not ORDERS.isdisjoint(self.effects)

    @property
    def brief(self) -> str:
        """What was ordered last, or the change to it."""
        return next((act.brief for act in reversed(self.acts) if act.brief), "")

    @property
    def about(self) -> str:
        """The title of the run that it was about."""
        return next((act.title for act in reversed(self.acts) if act.title), "")

    @property
    def creates(self) -> int:
        """Creates of Deep Research that the turn allowed."""
        return sum(act.creates for act in self.acts)

    @property
    def yeses(self) -> int:
        """Those of them that answered a question, a price or a plan; the others are orders that start at once."""
        return sum(act.creates for act in self.acts if act.effect in YESES)

    @cached_property
    def prose(self) -> Prose:
        """The answer taken apart."""
        return read_prose(self.text)


def facts_of(invocation: Invocation) -> Facts:
    """Reads an invocation."""
    pairs = get_all_tool_calls_with_responses(invocation.intermediate_data)
    calls = [(call.name or "", call.args or {}) for call, _ in pairs]
    results = [(response.response or {}) if response else {"error": "no result"} for _, response in pairs]
    wanted = next((Wanted.of_arguments(args) for name, args in calls if name == WANTED), None)
    text = text_of(invocation.final_response)
    return Facts(
        asked=text_of(invocation.user_content),
        text=text,
        routes=tuple(str(args.get("agent_name")) for name, args in calls if name == "transfer_to_agent") or ("desk",),
        tools=tuple((name, args) for name, args in calls if name not in ("transfer_to_agent", WANTED)),
        acts=acts_of((name, args, result) for (name, args), result in zip(calls, results, strict=True)),
        wanted=wanted,
        verdicts=tuple(
            (match["category"], float(match["confidence"]) if match["confidence"] else None)
            for match in _VERDICT.finditer(text)
        ),
    )


def text_of(content: types.Content | None) -> str:
    """What a content says, without thoughts."""
    return "\n".join(part.text for part in (content.parts if content else None) or () if part.text and not part.thought)
