"""Extracts facts from ADK's invocations, actual or expected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.adk.evaluation.eval_case import Invocation, get_all_tool_calls_with_responses

from evals.effects import APPROVALS, EXPECTATION_CALL, ORDERS, Effect, Expectation, ToolEffect, tool_effects
from evals.markdown_parser import Prose, read_prose
from tools.adk.contents import lines_of
from tools.research.verification.checks import Verdict

_VERDICT = re.compile(r"\*\*Verdict: (?:not safe, )?(?P<category>\w+)\*\*(?: \(confidence (?P<confidence>[\d.]+)\))?")


_CHECK = re.compile(rf"^\| (?P<number>\d+) \| \S (?P<verdict>{'|'.join(Verdict)}) \| (?P<remarks>.*) \|$", re.MULTILINE)
"""A row of the table of `tools/research/report/check_texts.py`."""
_COUNT = re.compile(r"(\d+) of (\d+) passages found")


@dataclass(frozen=True)
class SourceFacts:
    """The check of one source, as an answer shows it."""

    number: int
    verdict: str
    counted: tuple[int, int] | None
    """Number of found passages, and of all passages; None if the verdict holds for all of them."""
    unsupported: bool
    """Whether the run did not find the address."""


@dataclass(frozen=True)
class Facts:
    """The facts of one turn."""

    message: str
    text: str
    """The final answer of the turn."""
    routes: tuple[str, ...]
    """The agents that the desk handed over to; only the desk if it answered itself. If expected: accepted agents."""
    tools: tuple[tuple[str, Mapping[str, Any]], ...]
    """All other function calls, with their arguments."""
    tool_effects: tuple[ToolEffect, ...]
    """Effects of the research tools. In an expected turn: empty."""
    expectation: Expectation | None
    """The expected effects of the research tools, in an expected turn. None: not specified; then no run may start."""
    verdicts: tuple[tuple[str, float | None], ...]
    """Moderation categories with their confidence. In an expected turn: accepted categories, the best one first."""

    @property
    def route(self) -> str:
        """The agent that answers."""
        return self.routes[-1]

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Effects of the research tools. In an expected turn: the accepted effects, the best one first."""
        found = self.expectation.effects if self.expectation else tuple(one.effect for one in self.tool_effects)
        return found or ("none",)

    @property
    def research(self) -> bool:
        """Whether a run was ordered, even if a limit refused it."""
        return self.effects[0] in ORDERS if self.expectation else not ORDERS.isdisjoint(self.effects)

    @property
    def brief(self) -> str:
        """The last ordered brief, or the last change to a brief."""
        return next((one.brief for one in reversed(self.tool_effects) if one.brief), "")

    @property
    def about(self) -> str:
        """The title of the run that the turn was about."""
        return next((one.title for one in reversed(self.tool_effects) if one.title), "")

    @property
    def creates(self) -> int:
        """Number of create requests to Deep Research that the turn allowed."""
        return sum(one.creates for one in self.tool_effects)

    @property
    def yeses(self) -> int:
        """Number of create requests that a yes allowed. The others come from orders that start at once."""
        return sum(one.creates for one in self.tool_effects if one.effect in APPROVALS)

    @cached_property
    def prose(self) -> Prose:
        """The parsed answer."""
        return read_prose(self.text)

    @cached_property
    def source_checks(self) -> tuple[SourceFacts, ...]:
        """The checks of sources that the answer shows; empty if `verify` is off."""
        checks = self.text.rpartition("## Checks of the sources")
        return tuple(_source_facts(row) for row in _CHECK.finditer(checks[2] if checks[1] else ""))


def _source_facts(row: re.Match[str]) -> SourceFacts:
    counted = _COUNT.search(row["remarks"])
    numbers = (int(counted[1]), int(counted[2])) if counted else None
    return SourceFacts(int(row["number"]), row["verdict"], numbers, "unsupported by the run" in row["remarks"])


def facts_of(invocation: Invocation) -> Facts:
    """Extracts the facts of an invocation."""
    pairs = get_all_tool_calls_with_responses(invocation.intermediate_data)
    calls = [(call.name or "", call.args or {}) for call, _ in pairs]
    results = [(response.response or {}) if response else {"error": "no result"} for _, response in pairs]
    expectation = next((Expectation.from_arguments(args) for name, args in calls if name == EXPECTATION_CALL), None)
    text = lines_of(invocation.final_response)
    return Facts(
        message=lines_of(invocation.user_content),
        text=text,
        routes=tuple(str(args.get("agent_name")) for name, args in calls if name == "transfer_to_agent") or ("desk",),
        tools=tuple((name, args) for name, args in calls if name not in ("transfer_to_agent", EXPECTATION_CALL)),
        tool_effects=tool_effects((name, args, result) for (name, args), result in zip(calls, results, strict=True)),
        expectation=expectation,
        verdicts=tuple(
            (match["category"], float(match["confidence"]) if match["confidence"] else None)
            for match in _VERDICT.finditer(text)
        ),
    )
