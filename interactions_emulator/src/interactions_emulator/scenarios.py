"""Scripted answers from a YAML file, for tests and demonstrations.

A file is a list of scenarios. The first scenario that matches a turn answers it; the brain answers all other turns:

    - match:
        text: "(?i)capital of france"   # regular expression, searched in the text of the newest user_input
        model: gemini-3.8-flash         # or agent: ...; a regular expression for the whole name
      steps:                            # steps as the API sends them; ids of calls are optional
        - type: thought
          summary: [{type: text, text: "**Thinking**"}]
        - type: model_output
          content: [{type: text, text: "Paris."}]
    - match: {agent: "deep-research.*"}
      wait: 60                          # virtual seconds before each step; .inf: the run never makes progress
      steps:
        - type: thought
      status: failed                    # or incomplete, budget_exceeded, cancelled; if left out, completed
      error: {code: internal_error, message: "The research agent could not finish."}

A step `{type: hop}` ends the interaction as `requires_continuation`, with a token. The SDKs send the token back by
themselves; the steps after the hop answer that request.

An entry with `request` and `response` is a recorded exchange (see `recording/replay.py`). Recorded exchanges are tried
before scenarios.

An empty `match` matches any turn. For a turn without new user text (function results), `text` is searched in the
newest user_input before it. After a function_call step the interaction ends as `requires_action`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from interactions_emulator.brain.protocol import Brain, Ending, Entry, Step, TimedStep, Turn
from interactions_emulator.engine.steps import STEP_FIELDS
from interactions_emulator.http.errors import Refused
from interactions_emulator.recording.replay import Exchange, exchanges

HOP = {"type": "hop"}


class Match(BaseModel):
    """The turns that a scenario answers. A field that is None does not restrict them."""

    model_config = ConfigDict(extra="forbid")

    text: re.Pattern[str] | None = None
    model: re.Pattern[str] | None = None
    agent: re.Pattern[str] | None = None


class Failure(BaseModel):
    """An entry of the resource's `errors`."""

    model_config = ConfigDict(extra="forbid")

    code: str
    message: str


class Scenario(BaseModel):
    """One scripted answer."""

    model_config = ConfigDict(extra="forbid")

    match: Match = Match()
    steps: list[dict[str, Any]] = []
    wait: float = Field(default=0.0, ge=0)
    status: Literal["completed", "failed", "incomplete", "budget_exceeded", "cancelled"] = "completed"
    error: Failure | None = None


def load_scenarios(path: Path) -> tuple[list[Scenario], list[Exchange]]:
    """Read a file of scenarios and recorded exchanges. Raises `Refused` with the file and the position of the error."""
    try:
        entries = TypeAdapter(list[dict[str, Any]]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
        recorded = exchanges([entry for entry in entries if "request" in entry])
        scripts = [entry for entry in entries if "request" not in entry]
        scenarios = TypeAdapter(list[Scenario]).validate_python(scripts)
    except (OSError, yaml.YAMLError, ValidationError, Refused) as error:
        raise Refused(400, f"scenarios {path}: {error}") from error
    for number, scenario in enumerate(scenarios):
        for step in scenario.steps:
            if step != HOP and step.get("type") not in STEP_FIELDS:
                raise Refused(400, f"scenarios {path}, number {number}: step type {step.get('type')!r} is unknown")
    return scenarios, recorded


def scripted(scenarios: list[Scenario], brain: Brain) -> Brain:
    """Return a brain that answers from the scenarios, and calls `brain` for turns that match no scenario."""

    def answer(turn: Turn) -> Iterable[Entry]:
        scenario = next((scenario for scenario in scenarios if _matches(scenario.match, turn)), None)
        return brain(turn) if scenario is None else _scripted_answer(scenario, turn)

    return answer


def _matches(match: Match, turn: Turn) -> bool:
    target, other = (match.agent, match.model) if turn.is_agent else (match.model, match.agent)
    if other is not None or (target is not None and not target.fullmatch(turn.target)):
        return False
    return match.text is None or match.text.search(_newest_text(turn)) is not None


def _newest_text(turn: Turn) -> str:
    asked = next((step for step in reversed(turn.steps) if step["type"] == "user_input"), {})
    return "\n".join(content.get("text", "") for content in asked.get("content", ()))


def _scripted_answer(scenario: Scenario, turn: Turn) -> list[TimedStep | Ending]:
    answer: list[TimedStep | Ending] = []
    for position, step in enumerate(scenario.steps):
        if step == HOP:
            answer.append(Ending("requires_continuation"))
        else:
            answer.append(TimedStep(scenario.wait, _with_id(step, f"call_{len(turn.steps)}_{position}")))
    if scenario.status != "completed":
        answer.append(Ending(scenario.status, (scenario.error.model_dump(),) if scenario.error else ()))
    return answer


def _with_id(step: Step, call_id: str) -> Step:
    return {"id": call_id} | step if step["type"].endswith("_call") else step
