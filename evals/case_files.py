"""The form of the files `cases/*.yaml`: reads and checks them. Errors name the file and the case."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from evals.effects import Effect
from tools.settings import ROOT
from tools.yaml_files.reading import ConfigError, config_files, read_mapping, read_yaml

Category = Literal["safe", "spam", "inappropriate", "harmful"]
T = TypeVar("T")
_DESK_EFFECTS: frozenset[Effect] = frozenset(("forget_question", "forget"))
"""Effects of the root agent's own tools."""


@cache
def agent_names() -> frozenset[str]:
    """The names of the agents in `configs/`."""
    files = config_files(ROOT / "configs" / "desk.yaml")
    return frozenset(str((read_mapping(file) or {}).get("name")) for file in files)


def _check_route(name: str) -> str:
    if name not in agent_names():
        raise ValueError(f"there is no agent {name!r}: name one of {', '.join(sorted(agent_names()))}")
    return name


Route = Annotated[str, AfterValidator(_check_route)]
"""The name of an agent."""


class CaseError(Exception):
    """A file of cases has a mistake. The message names the file and the case."""


class Turn(BaseModel):
    """A user message and its expected outcome."""

    model_config = ConfigDict(extra="forbid")

    user: str
    route: Route | tuple[Route, ...] = ()
    """The agent that should answer, or several accepted ones, the best first. Default: see `routes`."""
    calls: list[dict[str, dict[str, Any]]] = []
    """Function calls with the arguments that matter; `"*": {}` allows any calls."""
    answer: str = ""
    """Texts that the answer **must contain**, and texts that it ~~must not contain~~."""
    verdict: Category | tuple[Category, ...] = ()
    """The expected category of a moderation, or several accepted ones, the best first."""
    sources: bool | None = None
    """Whether the answer should have numbered sources; default: only if it is a report."""
    research: bool = False
    """Whether the turn should order a run that starts at once."""
    effect: Effect | tuple[Effect, ...] = ()
    """The expected effect of the research tools, or several accepted ones, the best first."""
    brief_has: list[str] = []
    """Words that have to be in the brief of the run, or in the change to it."""
    brief_lacks: list[str] = []
    """Words that must not be in the brief, or in the change to it."""
    about: list[str] = []
    """Words in the title of the run that the message is about."""

    @field_validator("calls")
    @classmethod
    def _check_calls(cls, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if any(len(call) != 1 for call in calls):
            raise ValueError("each call is one function with its arguments, as in `get_weather: {place: Paris}`")
        return calls

    @model_validator(mode="after")
    def _check_consistency(self) -> Turn:
        if self.research and self.effect:
            raise ValueError("`research` is the effect `start`: give one of them")
        if (self.brief_has or self.brief_lacks or self.about) and not self.effects:
            raise ValueError("`brief_has`, `brief_lacks` and `about` need an `effect`")
        for given, agent in ((self.research, "researcher"), (self.verdict, "moderator")):
            if given and agent not in self.routes:
                raise ValueError(f"`{'research' if given is True else 'verdict'}` needs the `route` {agent}")
        return self

    @property
    def effects(self) -> tuple[Effect, ...]:
        """The accepted effects. If empty, the effect is not judged."""
        return ("start",) if self.research else _as_tuple(self.effect)

    @property
    def verdicts(self) -> tuple[Category, ...]:
        """The accepted categories of a moderation, the best first."""
        return _as_tuple(self.verdict)

    @property
    def routes(self) -> tuple[Route, ...]:
        """The accepted agents. If `route` is empty: the agents whose tools have the effect, or the desk."""
        if self.route or not self.effect:
            return _as_tuple(self.route or "desk")
        forgets = _DESK_EFFECTS.issuperset(self.effects)
        either: tuple[Route, ...] = ("researcher", "desk") if "none" in self.effects else ("researcher",)
        return ("desk",) if forgets else either


class Conversation(BaseModel):
    """A case. In YAML, a case with a single turn may have the turn's fields itself."""

    model_config = ConfigDict(extra="forbid")

    id: str = ""
    """Default: the beginning of the first message."""
    context: str = ""
    """Name of the turns that come first, see `Cases.contexts`."""
    turns: list[Turn] = Field(min_length=1)
    state: dict[str, Any] = {}
    """Initial state of the session."""

    @model_validator(mode="before")
    @classmethod
    def _expand_single_turn(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "user" in value:
            own = {key: value[key] for key in ("id", "context", "state") if key in value}
            return own | {"turns": [{key: each for key, each in value.items() if key not in own}]}
        return value

    @model_validator(mode="after")
    def _set_id(self) -> Conversation:
        self.id = self.id or re.sub(r"[^a-z0-9]+", "-", self.turns[0].user.lower())[:48].strip("-")
        if not self.id:
            raise ValueError("the case needs an `id`: its message has no latin letters")
        return self


class Cases(BaseModel):
    """A set of cases, as written in YAML."""

    model_config = ConfigDict(extra="forbid")

    about: str
    ask_above_usd: float = Field(default=0, ge=0)
    """A run whose highest price is above this many USD is asked about first."""
    unfinished: bool = False
    """Whether runs are still running when the next turn comes, as in most real use; else they finish at once."""
    contexts: dict[str, list[Turn]] = {}
    """Maps a name to the turns at the beginning of a case. They prepare the turns that are judged."""
    cases: list[Conversation]

    @model_validator(mode="after")
    def _check_contexts(self) -> Cases:
        for case in self.cases:
            if case.context and case.context not in self.contexts:
                raise ValueError(f"case “{case.id}”: there is no context {case.context!r}")
        return self


def read_cases(file: Path) -> Cases:
    """Reads a set of cases from YAML.

    Raises:
        CaseError: the file has a mistake.
    """
    try:
        data = read_yaml(file).data
        cases = Cases.model_validate(data)
    except ConfigError as error:
        raise CaseError(f"{file.name}: {str(error).removeprefix(f'{file}:').strip()}") from None
    except ValidationError as error:
        raise CaseError(f"{file.name}: {_first_error(error, data)}") from None
    ids = [case.id for case in cases.cases]
    if twice := sorted({each for each in ids if ids.count(each) > 1}):
        raise CaseError(f"{file.name}: more than one case is called {', '.join(twice)}")
    return cases


def _as_tuple(value: T | tuple[T, ...]) -> tuple[T, ...]:
    return value if isinstance(value, tuple) else (value,)


def _first_error(error: ValidationError, data: Any) -> str:
    """The first mistake with its place: the id or the message of the case, and the field in it."""
    first = error.errors()[0]
    place, case = first["loc"], ""
    if len(place) > 1 and place[0] == "cases" and isinstance(found := data["cases"][place[1]], Mapping):
        case = f"case “{found.get('id') or found.get('user') or place[1]}”"
        place = place[2:] if "turns" in found else place[4:]
    return ": ".join(filter(None, [case, ".".join(map(str, place)), first["msg"].removeprefix("Value error, ")]))
