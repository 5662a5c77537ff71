"""Makes ADK's evaluation sets of the cases in `cases/`: `python -m evals.build`, or with `--check` only compares."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from google.adk.evaluation.eval_case import EvalCase, IntermediateData, Invocation, SessionInput
from google.adk.evaluation.eval_set import EvalSet
from google.genai import types
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tools.yamls import ConfigError, read_yaml

HERE = Path(__file__).parent
CASES = HERE / "cases"
AGENT = HERE.parent / "agents" / "desk"
SUFFIX = ".evalset.json"
Route = Literal["desk", "assistant", "illustrator", "moderator", "researcher"]
Category = Literal["safe", "spam", "inappropriate", "harmful"]


class CaseError(Exception):
    """A file of cases is not as it should be. The text names the file and the case."""


class Turn(BaseModel):
    """A message, and what should come of it."""

    model_config = ConfigDict(extra="forbid")

    user: str
    route: Route | tuple[Route, ...] = "desk"
    """Who answers; several if each of them is right, the best one first."""
    calls: list[dict[str, dict[str, Any]]] = []
    """Functions with the arguments that matter; `"*": {}` for whatever may be called."""
    answer: str = ""
    """What the answer is like: **this stands in it**, ~~this does not~~."""
    verdict: Category | tuple[Category, ...] = ()
    """A moderation's category; several if each of them is right, the best one first."""
    sources: bool | None = None
    """Whether the answer has numbered sources; by default if it is a report."""
    research: bool = False
    """Whether a research begins."""

    @field_validator("calls")
    @classmethod
    def _one_each(cls, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if any(len(call) != 1 for call in calls):
            raise ValueError("each call is one function with its arguments, as in `get_weather: {place: Paris}`")
        return calls

    @model_validator(mode="after")
    def _agrees(self) -> Turn:
        routes = (self.route,) if isinstance(self.route, str) else self.route
        for wanted, agent in ((self.research, "researcher"), (self.verdict, "moderator")):
            if wanted and agent not in routes:
                raise ValueError(f"with a {'research' if wanted is True else 'verdict'} the `route` is {agent}")
        return self


class Conversation(BaseModel):
    """A case. One of a single turn may have it in itself."""

    model_config = ConfigDict(extra="forbid")

    id: str = ""
    """By default the beginning of the first message."""
    turns: list[Turn] = Field(min_length=1)
    state: dict[str, Any] = {}
    """Of the session, at the beginning."""

    @model_validator(mode="before")
    @classmethod
    def _single(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "user" in value:
            own = {key: value[key] for key in ("id", "state") if key in value}
            return own | {"turns": [{key: each for key, each in value.items() if key not in own}]}
        return value

    @model_validator(mode="after")
    def _named(self) -> Conversation:
        self.id = self.id or re.sub(r"[^a-z0-9]+", "-", self.turns[0].user.lower())[:48].strip("-")
        if not self.id:
            raise ValueError("the case needs an `id`: its message has no latin letters")
        return self


class Cases(BaseModel):
    """A set."""

    model_config = ConfigDict(extra="forbid")

    about: str
    cases: list[Conversation]


def read_cases(file: Path) -> Cases:
    """Reads a set.

    Raises:
        CaseError: it is not as it should be.
    """
    try:
        data = read_yaml(file).data
        cases = Cases.model_validate(data)
    except ConfigError as error:
        raise CaseError(f"{file.name}: {str(error).removeprefix(f'{file}:').strip()}") from None
    except ValidationError as error:
        raise CaseError(f"{file.name}: {_mistake(error, data)}") from None
    ids = [case.id for case in cases.cases]
    if twice := sorted({each for each in ids if ids.count(each) > 1}):
        raise CaseError(f"{file.name}: more than one case is called {', '.join(twice)}")
    return cases


def build(name: str, cases: Cases) -> EvalSet:
    """The set as ADK has it."""
    return EvalSet(
        eval_set_id=name,
        name=name,
        description=cases.about,
        eval_cases=[
            EvalCase(
                eval_id=case.id,
                conversation=[expected(turn, f"{case.id}-{i}") for i, turn in enumerate(case.turns, 1)],
                session_input=SessionInput(app_name="desk", user_id="eval", state=case.state),
            )
            for case in cases.cases
        ],
    )


def expected(turn: Turn, invocation_id: str) -> Invocation:
    """A turn as ADK has it; what our metrics read of it is in `evals.facts`."""
    routes = turn.route if isinstance(turn.route, tuple) else (turn.route,)
    verdicts = (turn.verdict,) if isinstance(turn.verdict, str) else turn.verdict
    handed = [] if routes == ("desk",) else [("transfer_to_agent", {"agent_name": route}) for route in routes]
    calls = [next(iter(call.items())) for call in turn.calls]
    answer = [f"**Verdict: {'safe' if each == 'safe' else f'not safe, {each}'}**" for each in verdicts]
    answer += [turn.answer.strip()] if turn.answer else []
    answer += (
        ["## Sources\n\n1. [a source](https://example.com)"]
        if (turn.research if turn.sources is None else turn.sources)
        else []
    )
    begins = [("researcher", [types.Part(text="🔎 Research begins.")])] if turn.research else []
    return Invocation(
        invocation_id=invocation_id,
        user_content=types.UserContent(turn.user),
        final_response=types.ModelContent("\n\n".join(answer)) if answer else None,
        intermediate_data=IntermediateData(
            tool_uses=[types.FunctionCall(name=name, args=args) for name, args in [*handed, *calls]],
            intermediate_responses=begins,
        ),
    )


def as_text(built: EvalSet) -> str:
    """A set as it is kept in a file."""
    return built.model_dump_json(indent=1, exclude_none=True, exclude_defaults=True) + "\n"


def main(arguments: list[str]) -> int:
    """Writes the sets, or with `--check` says which are not up to date."""
    texts = {
        f"{file.stem}{SUFFIX}": as_text(build(file.stem, read_cases(file))) for file in sorted(CASES.glob("*.yaml"))
    }
    there = {file.name: file.read_text(encoding="utf-8") for file in HERE.glob(f"*{SUFFIX}")}
    if "--check" in arguments:
        stale = sorted({*texts, *there} - {name for name, text in texts.items() if there.get(name) == text})
        print(f"not up to date: {', '.join(stale)}; run `python -m evals.build`" if stale else "up to date")
        return bool(stale)
    for name in there.keys() - texts.keys():
        (HERE / name).unlink()
        (AGENT / name).unlink(missing_ok=True)
    for name, text in texts.items():
        (HERE / name).write_text(text, encoding="utf-8")
        link = AGENT / name  # where the Eval tab of `adk web` and `adk optimize` look
        if not link.is_symlink():
            link.symlink_to(Path("../../evals") / name)
    return 0


def _mistake(error: ValidationError, data: Any) -> str:
    """The first mistake and where it is: the id or the message of its case, and its place in there."""
    first = error.errors()[0]
    place, case = first["loc"], ""
    if len(place) > 1 and isinstance(found := data["cases"][place[1]], Mapping):
        case = f"case “{found.get('id') or found.get('user') or place[1]}”"
        place = place[2:] if "turns" in found else place[4:]
    return ": ".join(filter(None, [case, ".".join(map(str, place)), first["msg"].removeprefix("Value error, ")]))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except CaseError as mistake:
        sys.exit(f"error: {mistake}")
