"""A desk that is broken on purpose fails an evaluation, each time by the metric that is there for it."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import tools.models
from evals.result import Case
from evals.run import Player, load_criteria
from evals.sets import choose, load_sets
from interactions_emulator import Emulator
from interactions_emulator.turn import Beat, Turn
from tests.conftest import ROOT
from tests.scripts import call, research_brain, said
from tools.application import build_app
from tools.yamls import ConfigError

WEATHER = ("tools", "what-is-the-weather-in-paris")
AMBIGUOUS = ("refusals", "what-is-the-weather-in-springfield")
SEARCH = ("tools", "what-is-an-asynchronous-context-manager-in-pytho")
GREETING = ("routing", "hello")
REPORT = ("routing", "write-a-research-report-on-asynchronous-programm")


@pytest.fixture
def api(use: Any, index: Path) -> Iterator[Emulator]:
    """The emulator with its own brain over the documentation of the installed packages."""
    with Emulator(speed=math.inf, index=index) as server:
        use(server)
        yield server


@pytest.fixture
def change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Changes an agent in a copy of the configuration, which is the one in force from then on."""
    configs = Path(shutil.copytree(ROOT / "configs", tmp_path / "configs"))
    monkeypatch.setenv("DESK_CONFIG", str(configs / "desk.yaml"))

    def update(name: str, **values: object) -> None:
        file = configs / f"{name}.yaml"
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | values))

    return update


async def play(name: str, *ids: str) -> list[Case]:
    """What comes of some cases of a set."""
    (found,) = choose(load_sets(ROOT / "evals"), [name])
    cases = [case for case in found.eval_cases if case.eval_id in ids]
    assert len(cases) == len(ids)
    player = Player(build_app(), load_criteria(ROOT / "evals" / "criteria.json"))
    return [case async for case in player.play([found.model_copy(update={"eval_cases": cases})])]


def failed(case: Case) -> set[str]:
    """The metrics that a case fails."""
    return {name for turn in case.turns for name in turn.failed}


async def test_the_whole_desk_passes_them(api: Emulator) -> None:
    for name, case in (WEATHER, SEARCH, GREETING, REPORT):
        (played,) = await play(name, case)
        assert played.passed, played


async def test_a_broken_description_is_caught_by_the_route(api: Emulator, change: Any) -> None:
    change("assistant", description="Looks after the plants in the hall.")
    (case,) = await play(*WEATHER)
    assert "route_accuracy" in failed(case)


async def test_a_broken_instruction_is_caught_by_the_route(use: Any, change: Any) -> None:
    def obedient(turn: Turn) -> Iterator[Beat]:
        told = "Hand over" in turn.system_instruction and any(t.get("name") == "transfer_to_agent" for t in turn.tools)
        yield Beat(0.0, call("transfer_to_agent", "c1", agent_name="assistant") if told else said("Sunny."))

    with Emulator(brain=obedient, speed=math.inf) as api:
        use(api)
        (case,) = await play(*WEATHER)
        assert "route_accuracy" not in failed(case)
        change("desk", instruction="You are a receptionist. Answer everything yourself.")
        (case,) = await play(*WEATHER)
        assert "route_accuracy" in failed(case)


async def test_an_instruction_that_cannot_be_filled_in_is_caught(api: Emulator, change: Any) -> None:
    change("assistant", instruction="Answer for {the_place_of_the_user}.")
    with pytest.raises(ConfigError, match="the_place_of_the_user"):  # before a case is played
        await play(*WEATHER)


async def test_a_tool_in_the_place_of_another_is_caught_by_its_calls(api: Emulator, change: Any) -> None:
    change("assistant", tools=[{"name": "google_search"}, {"name": "tests.evals.breakage.get_tides"}])
    (case,) = await play(*WEATHER)
    assert "argument_match" in failed(case)


async def test_a_tool_that_answers_for_another_place_is_caught_by_the_answer(api: Emulator, change: Any) -> None:
    change("assistant", tools=[{"name": "google_search"}, {"name": "tests.evals.breakage.get_weather"}])
    (case,) = await play(*AMBIGUOUS)
    assert failed(case) == {"answer_marks"}


@pytest.mark.parametrize(("case", "module"), [(SEARCH, "tools.models"), (REPORT, "tools.research.report")])
async def test_dropped_citations_are_caught(
    api: Emulator, monkeypatch: pytest.MonkeyPatch, case: tuple[str, str], module: str
) -> None:
    monkeypatch.setattr(f"{module}.cite", lambda text, citations: (text, ()))
    (played,) = await play(*case)
    assert "citation_validity" in failed(played)


async def test_a_citation_that_leads_elsewhere_is_caught(api: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tools.models.source_list
    monkeypatch.setattr("tools.models.source_list", lambda sources: real(sources).replace("://", "://elsewhere."))
    (case,) = await play(*SEARCH)
    assert failed(case) == {"citation_validity"}


async def test_a_research_that_small_talk_starts_is_caught(use: Any) -> None:
    def misled(turn: Turn) -> Iterator[Beat]:
        if turn.is_agent:
            yield from research_brain(turn)
        else:
            yield Beat(0.0, call("transfer_to_agent", "c1", agent_name="researcher"))

    with Emulator(brain=misled, speed=math.inf) as api:
        use(api)
        (case,) = await play(*GREETING)
        assert api.log()["creates"] == 2  # the desk was asked, and a research paid for
    assert {"route_accuracy", "false_research_starts"} <= failed(case)
