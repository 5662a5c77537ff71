"""One agent from YAML on an emulator whose answers are scripted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.adk.agents.run_config import StreamingMode

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Brain, Ending, TimedStep, Turn
from tests.scripts import call, research_brain, said
from tests.talk import Talk
from tools.app import build_app

Solo = Callable[..., Talk]


class Script:
    """A brain that gives scripted answers, one list of steps per request, and records all requests."""

    def __init__(self) -> None:
        self.answers: list[list[dict[str, Any] | Ending]] = []
        self.asked: list[Turn] = []

    def __call__(self, turn: Turn) -> Iterator[TimedStep | Ending]:
        self.asked.append(turn)
        answer = self.answers.pop(0) if self.answers else [said("All right.")]
        yield from (item if isinstance(item, Ending) else TimedStep(0, item) for item in answer)


def ordering(order: dict[str, Any]) -> Brain:
    """A brain whose model orders this research in answer to every message, and whose agent then does it."""

    def think(turn: Turn) -> Iterator[TimedStep]:
        yield from research_brain(turn) if turn.is_agent else [TimedStep(0, call("start_research", "fc_1", **order))]

    return think


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def api(use: Any, script: Script) -> Iterator[Emulator]:
    with Emulator(brain=script) as server:
        use(server)
        yield server


@pytest.fixture
def solo(api: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Solo:
    """Makes a conversation with an agent of these YAML lines."""

    def make(yaml: str = "", mode: StreamingMode = StreamingMode.NONE) -> Talk:
        file = tmp_path / "solo.yaml"
        model = "" if "model:" in yaml else "model: interactions:gemini-3.8-flash\n"
        file.write_text(f"agent_class: tools.adk.llm_agent.Agent\nname: solo\ninstruction: Talk.\n{model}{yaml}")
        monkeypatch.setenv("DESK_CONFIG", str(file))
        return Talk(build_app(), mode=mode)

    return make
