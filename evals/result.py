"""What came of a run: plain data, kept as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict


class ResultError(Exception):
    """A file of results cannot be read. The text names it."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Said(_Data):
    """What can be known of a turn, expected or actual; of the expected one only what was asked for."""

    route: str = ""
    """The agent that answers."""
    tools: list[tuple[str, dict[str, Any]]] = []
    research: bool = False
    """Whether a run is ordered."""
    effects: list[str] = []
    """What the tools for research did, or of the expected turn should: each that is right."""
    brief: str = ""
    """Of the run that was ordered, or the change to it; of the expected turn what it has, and lacks."""
    about: str = ""
    """Title of the run that it was about."""
    creates: int = 0
    """Creates of Deep Research that the turn allowed."""
    yeses: int = 0
    """Those of them that a yes to a question allowed; the others start below the price that is asked about."""
    verdict: str = ""
    confidence: float | None = None
    text: str = ""


class Turn(_Data):
    """One message and what was made of it."""

    user: str
    expected: Said
    actual: Said
    scores: dict[str, float | None] = {}
    """By metric, 0 to 1; none: the metric has nothing to say of it."""
    failed: list[str] = []
    """The metrics whose threshold it misses."""
    calls: float | None = None
    """Of a model."""
    tokens: float | None = None
    seconds: float | None = None

    def without_words(self) -> Turn:
        """The same without what was said."""
        actual = self.actual.model_copy(update={"text": "", "tools": [], "brief": "", "about": ""})
        return self.model_copy(update={"user": "(not kept)", "actual": actual})


class Case(_Data):
    """One conversation of a set."""

    set: str
    id: str
    passed: bool
    turns: list[Turn] = []
    error: str = ""
    """Why it could not be played, or was not."""
    creates: int = 0
    """Creates of Deep Research in the table of spending, which is written before each."""

    @property
    def allowed(self) -> int:
        """Creates of Deep Research that somebody has allowed."""
        return sum(turn.actual.creates for turn in self.turns)

    @property
    def key(self) -> str:
        """The same in every run."""
        return f"{self.set}/{self.id}"

    @property
    def failed(self) -> str:
        """Why it did not pass."""
        return self.error or ", ".join(dict.fromkeys(name for turn in self.turns for name in turn.failed))

    def score(self, metric: str) -> float | None:
        """Mean of a metric over the turns that have one."""
        found = [score for turn in self.turns if (score := turn.scores.get(metric)) is not None]
        return sum(found) / len(found) if found else None


class Run(_Data):
    """A run over all its sets."""

    name: str
    created: str
    """ISO 8601."""
    backend: str
    models: dict[str, str]
    """The model of each agent."""
    usd: float = 0.0
    """What it cost at most, by the tokens that were counted; 0 on the emulator."""
    cases: list[Case]
    server_creates: int | None = None
    """Creates of Deep Research that the server says it has accepted; none: it does not say."""
    skipped: list[str] = []
    """What was left out, and why."""

    @property
    def creates(self) -> int:
        """Creates of Deep Research: as the server counts them, else the table of spending."""
        return sum(case.creates for case in self.cases) if self.server_creates is None else self.server_creates

    @property
    def allowed(self) -> int:
        """Creates of Deep Research that somebody has allowed: by a yes, or by an order that needs none by its price."""
        return sum(case.allowed for case in self.cases)

    @property
    def paid(self) -> str:
        """In a sentence, what was created and who has allowed it; empty: nothing was."""
        if not self.creates and not self.allowed:
            return ""
        counted = "in the table of spending" if self.server_creates is None else "at the server"
        yeses = sum(turn.actual.yeses for turn in self.turns)
        orders = self.allowed - yeses
        allowed = f"{yeses} by a yes" + (f", {orders} by an order that needs none" if orders else "")
        return f"Deep Research: {self.creates} creates {counted}, {self.allowed} allowed ({allowed})"

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that said something, in order."""
        return list(dict.fromkeys(name for case in self.cases for turn in case.turns for name in turn.scores))

    @property
    def turns(self) -> list[Turn]:
        """All turns."""
        return [turn for case in self.cases for turn in case.turns]

    def mean(self, metric: str, cases: Sequence[Case] | None = None) -> float | None:
        """A metric's mean over cases."""
        scores = [s for case in (self.cases if cases is None else cases) if (s := case.score(metric)) is not None]
        return sum(scores) / len(scores) if scores else None


def save_run(run: Run, path: Path) -> None:
    """Writes a run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(run.model_dump_json(indent=1) + "\n", encoding="utf-8")


def load_run(path: Path) -> Run:
    """Reads a run.

    Raises:
        ResultError: there is none in the file.
    """
    try:
        return Run.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise ResultError(f"{path}: not a result of `desk eval`") from None
