"""The result of an evaluation run: plain data, stored as JSON, and where its file is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tools.files.atomic_file import write_whole
from tools.files.regular_file import regular_size

RESULTS = Path("reports/evals")
"""Default folder of results."""


class ResultError(Exception):
    """A result file cannot be read. The message names the file."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class TurnOutcome(_Data):
    """The facts of an actual or an expected turn. An expected turn has only the facts that the case specifies."""

    route: str = ""
    """The agent that answers."""
    tools: list[tuple[str, dict[str, Any]]] = []
    research: bool = False
    """Whether a run is ordered."""
    effects: list[str] = []
    """Effects of the research tools; in an expected turn, the accepted effects."""
    brief: str = ""
    """The ordered brief, or the change to it; in an expected turn, the required and the forbidden words."""
    about: str = ""
    """Title of the run that the turn was about."""
    creates: int = 0
    """Number of create requests to Deep Research that the turn allowed."""
    yeses: int = 0
    """Number of create requests that a yes allowed. The others are cheap enough to start without a yes."""
    verdict: str = ""
    confidence: float | None = None
    text: str = ""


class Turn(_Data):
    """One message with its expected and its actual outcome."""

    user: str
    expected: TurnOutcome
    actual: TurnOutcome
    scores: dict[str, float | None] = {}
    """Maps each metric to its score from 0 to 1, or to None if the metric does not apply."""
    failed: list[str] = []
    """The metrics whose threshold the turn misses."""
    calls: float | None = None
    """Number of model calls."""
    tokens: float | None = None
    seconds: float | None = None

    def without_texts(self) -> Turn:
        """A copy without the texts of the user and the agents."""
        actual = self.actual.model_copy(update={"text": "", "tools": [], "brief": "", "about": ""})
        return self.model_copy(update={"user": "(not kept)", "actual": actual})


class Case(_Data):
    """One conversation of a set."""

    set: str
    id: str
    passed: bool
    turns: list[Turn] = []
    error: str = ""
    """The reason why the case could not be played, or why it failed apart from its metrics."""
    creates: int = 0
    """Number of create requests to Deep Research, by the spending table, which is written before each request."""

    @property
    def allowed(self) -> int:
        """Number of create requests to Deep Research that the user allowed."""
        return sum(turn.actual.creates for turn in self.turns)

    @property
    def key(self) -> str:
        """Name that identifies the case in every run."""
        return f"{self.set}/{self.id}"

    @property
    def failed(self) -> str:
        """The reason why the case did not pass."""
        return self.error or ", ".join(dict.fromkeys(name for turn in self.turns for name in turn.failed))


class Run(_Data):
    """An evaluation run over all its sets."""

    name: str
    created: str
    """Start time, ISO 8601."""
    backend: str
    models: dict[str, str]
    """The model of each agent."""
    usd: float = 0.0
    """Upper estimate of the cost, from the counted tokens; 0 on the emulator."""
    cases: list[Case]
    server_creates: int | None = None
    """Number of create requests to Deep Research that the server accepted; None: unknown."""
    skipped: list[str] = []
    """Messages about the sets that were left out, and why."""

    @property
    def creates(self) -> int:
        """Number of create requests to Deep Research, as the server counted; if unknown, by the spending table."""
        return sum(case.creates for case in self.cases) if self.server_creates is None else self.server_creates

    @property
    def allowed(self) -> int:
        """Number of create requests that the user allowed: by a yes, or by an order whose price needs no yes."""
        return sum(case.allowed for case in self.cases)

    @property
    def paid(self) -> str:
        """A sentence about the runs that were created, and what allowed them; empty if no run was created."""
        if not self.creates and not self.allowed:
            return ""
        counted = "in the spending table" if self.server_creates is None else "at the server"
        yeses = sum(turn.actual.yeses for turn in self.turns)
        orders = self.allowed - yeses
        allowed = f"{yeses} by a yes" + (f", {orders} by an order that needs no yes" if orders else "")
        return f"Deep Research: {self.creates} create requests {counted}, {self.allowed} allowed ({allowed})"

    @property
    def metrics(self) -> list[str]:
        """Names of all metrics of the turns, in order."""
        return list(dict.fromkeys(name for case in self.cases for turn in case.turns for name in turn.scores))

    @property
    def turns(self) -> list[Turn]:
        """All turns."""
        return [turn for case in self.cases for turn in case.turns]


def save_run(run: Run, path: Path) -> None:
    """Writes a run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, run.model_dump_json(indent=1) + "\n")


def load_run(path: Path) -> Run:
    """Reads a run.

    Raises:
        ResultError: the file cannot be read, or has no run.
    """
    try:
        regular_size(path)
        return Run.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise ResultError(f"{path}: not a result of `desk eval`") from None


def result_file(run: str) -> Path:
    """The results file of a run, given by the file's path or the run's name."""
    return Path(run) if run.endswith(".json") else RESULTS / f"{file_name(run)}.json"


def file_name(run: str) -> str:
    """Converts the name of a run into a file name without suffix."""
    return re.sub(r"\W+", "-", run).strip("-").lower()
