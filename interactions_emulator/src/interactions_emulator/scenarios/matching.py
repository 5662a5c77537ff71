"""Answers turns from scenarios, and asks a brain for all other turns."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from interactions_emulator.brain.protocol import Brain, Ending, Entry, Step, TimedStep, Turn
from interactions_emulator.contents import text_of
from interactions_emulator.scenarios.scenario import HOP, Answer, Match, ResultMatch, Scenario

MAX_CONTINUATIONS = 1_000
"""Maximum number of answers with hops that are remembered until the client asks for their rest."""
MAX_SHOWN_CHARS = 200


class Script:
    """A brain that answers from scenarios. It counts the requests that each scenario has answered.

    Args:
        brain: answers the turns that no scenario matches.
        strict: end these turns as failed instead, with an error that names the nearest scenarios.
    """

    def __init__(self, scenarios: list[Scenario], brain: Brain, strict: bool = False) -> None:
        self._scenarios = scenarios
        self._brain = brain
        self._strict = strict
        self._used = [0] * len(scenarios)
        self._continued: deque[tuple[Turn, Answer, int]] = deque(maxlen=MAX_CONTINUATIONS)
        self._lock = threading.Lock()  # the answers of background runs are read in threads

    def __call__(self, turn: Turn) -> Iterable[Entry]:
        answer = self._choose(turn)
        if answer is not None:
            return _entries(answer, turn)
        if self._strict:
            return [Ending("failed", ({"code": "no_scenario", "message": self.explain(turn)},))]
        return self._brain(turn)

    def unused(self) -> list[Scenario]:
        """Return the scenarios that have answered no request."""
        return [scenario for scenario, used in zip(self._scenarios, self._used, strict=True) if not used]

    def explain(self, turn: Turn) -> str:
        """Describe the turn, and why the nearest scenarios do not match."""
        new = _new(turn)
        text = _newest_text(new)
        reasons = [(list(_mismatches(scenario.match, turn, new, text)), scenario) for scenario in self._scenarios]
        nearest = sorted(reasons, key=lambda pair: len(pair[0]))[:2]
        told = [f"{scenario.where}: {' and '.join(wrong) or 'all its times are used'}" for wrong, scenario in nearest]
        return (
            f"No scenario matches {_asked(turn)}. Nearest: {'; '.join(told) or 'there are no scenarios'}. "
            "Add a scenario, or set strict: false to let the brain answer."
        )

    def _choose(self, turn: Turn) -> Answer | None:
        with self._lock:
            fresh = replace(turn, answered=()) if turn.answered else turn
            for entry in self._continued:
                if entry[0] == fresh:
                    return self._continue(entry)
            new = _new(turn)
            text = _newest_text(new)
            for index, scenario in enumerate(self._scenarios):
                used_up = scenario.times is not None and self._used[index] >= scenario.times
                if used_up or any(_mismatches(scenario.match, turn, new, text)):
                    continue
                answer = scenario.answers[min(self._used[index], len(scenario.answers) - 1)]
                if turn.answered:  # after a restart: go on with the answer that was begun
                    begun = [one for one in scenario.answers if _begins(one, turn)]
                    answer = begun[0] if begun else answer
                self._used[index] += 1
                if hops := answer.steps.count(HOP):
                    self._continued.append((fresh, answer, hops))
                return answer
        return None

    def _continue(self, entry: tuple[Turn, Answer, int]) -> Answer:
        """The same answer again, for the part after its next hop."""
        turn, answer, hops = entry
        self._continued.remove(entry)
        if hops > 1:
            self._continued.append((turn, answer, hops - 1))
        return answer


def _mismatches(match: Match, turn: Turn, new: Sequence[Step], text: str | None) -> Iterator[str]:
    """Yield the reasons why a turn does not match; none if it does. `text` is the newest text of its `new` steps."""
    target, other = (match.agent, match.model) if turn.is_agent else (match.model, match.agent)
    if other is not None:
        yield f"is for {'a model' if turn.is_agent else 'an agent'}"
    if target is not None and not target.fullmatch(turn.target):
        yield f"{'agent' if turn.is_agent else 'model'} {target.pattern!r} does not match"
    if match.function_result is not None:
        results = [step for step in new if step["type"] == "function_result"]
        if not any(_fits(match.function_result, result) for result in results):
            yield "its function_result does not match" if results else "it needs a function_result"
        text = _newest_text(turn.steps)
    if match.text is not None:
        if text is None:
            yield "it needs a new text"
        elif not match.text.search(text):
            yield f"text {match.text.pattern!r} does not match"


def _fits(wanted: ResultMatch, result: Step) -> bool:
    return (
        (wanted.name is None or wanted.name.fullmatch(result.get("name", "")) is not None)
        and (wanted.result is None or wanted.result.search(_as_text(result["result"])) is not None)
        and (wanted.is_error is None or wanted.is_error == bool(result.get("is_error")))
    )


def _as_text(result: Any) -> str:
    """The result of a function as text: a string or texts as they are, anything else as JSON."""
    if isinstance(result, str):
        return result
    if isinstance(result, list) and all(isinstance(item, dict) and item.get("type") == "text" for item in result):
        return text_of(result, "\n")
    return json.dumps(result, ensure_ascii=False)


def _new(turn: Turn) -> list[Step]:
    """The steps after the last one that a model wrote: new texts and function results."""
    new: list[Step] = []
    for step in reversed(turn.steps):
        if step["type"] not in ("user_input", "function_result"):
            break
        new.append(step)
    return new[::-1]


def _newest_text(steps: Sequence[Step]) -> str | None:
    """The text of the newest user_input, None if there is none."""
    for step in reversed(steps):
        if step["type"] == "user_input":
            return text_of(step.get("content"), "\n")
    return None


def _asked(turn: Turn) -> str:
    """A short description of a turn's input."""
    new = _new(turn)
    results = [
        f"the result of {step.get('name')}: {_as_text(step['result']):.{MAX_SHOWN_CHARS}}"
        for step in new
        if step["type"] == "function_result"
    ]
    text = _newest_text(new)
    texts = [] if text is None else [f"the text {text[:MAX_SHOWN_CHARS]!r}"]
    return f"{'agent' if turn.is_agent else 'model'} {turn.target} with {' and '.join([*results, *texts])}"


def _entries(answer: Answer, turn: Turn) -> list[Entry]:
    entries: list[Entry] = []
    last_call = ""
    for position, step in enumerate(answer.steps):
        if step == HOP:
            entries.append(Ending("requires_continuation"))
            continue
        if step["type"].endswith("_call"):
            step = {"id": f"call_{len(turn.steps)}_{position}"} | step
            last_call = step["id"]
        elif step["type"].endswith("_result"):
            step = {"call_id": last_call} | step
        entries.append(TimedStep(answer.wait, step))
    if answer.status != "completed":
        entries.append(Ending(answer.status, (answer.error.model_dump(),) if answer.error else ()))
    return entries


def _begins(answer: Answer, turn: Turn) -> bool:
    """Whether an answer begins with the steps that the turn has already."""
    steps = [entry.step for entry in _entries(answer, turn) if isinstance(entry, TimedStep)]
    return tuple(steps[: len(turn.answered)]) == turn.answered
