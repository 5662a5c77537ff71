"""A desk that is broken on purpose fails an evaluation, each time by the metric that is there for it."""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import yaml

import tools.adk.answer_responses
from evals.result import Case
from evals.scoring import case_score
from evals.set_selection import load_sets, select_sets
from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.conftest import ROOT
from tests.scripts import call, research_brain, said
from tools.app import build_app
from tools.yaml_files.reading import ConfigError

if TYPE_CHECKING:
    from evals.runner import Player

WEATHER = ("tools", "what-is-the-weather-in-paris")
AMBIGUOUS = ("refusals", "what-is-the-weather-in-springfield")
SEARCH = ("tools", "what-is-an-asynchronous-context-manager-in-pytho")
GREETING = ("routing", "hello")
REPORT = ("routing", "write-a-research-report-on-asynchronous-programm")


@pytest.fixture
def api(use: Any, index: Path) -> Iterator[Emulator]:
    """The emulator with its own brain over its own documents."""
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


def new_player() -> Player:
    """A player of the desk. ADK's evaluation takes seconds to import, which other processes of the tests save."""
    from evals.runner import Player, load_criteria

    return Player(build_app(), load_criteria(ROOT / "evals" / "criteria.json"))


async def play(name: str, *ids: str) -> list[Case]:
    """What comes of some cases of a set."""
    (found,) = select_sets(load_sets(ROOT / "evals"), [name])
    cases = [case for case in found.eval_cases if case.eval_id in ids]
    assert len(cases) == len(ids)
    return [case async for case in new_player().play([found.model_copy(update={"eval_cases": cases})])]


def failed(case: Case) -> set[str]:
    """The metrics that a case fails."""
    return {name for turn in case.turns for name in turn.failed}


@pytest.mark.nightly
async def test_the_unbroken_desk_passes_the_same_cases(api: Emulator) -> None:
    for name, case in (WEATHER, SEARCH, GREETING, REPORT):
        (played,) = await play(name, case)
        assert played.passed, played


async def test_route_accuracy_detects_a_broken_description(api: Emulator, change: Any) -> None:
    change("assistant", description="Looks after the plants in the hall.")
    (case,) = await play(*WEATHER)
    assert "route_accuracy" in failed(case)


async def test_route_accuracy_detects_a_broken_instruction(use: Any, change: Any) -> None:
    def obedient(turn: Turn) -> Iterator[TimedStep]:
        told = "Hand over" in turn.system_instruction and any(t.get("name") == "transfer_to_agent" for t in turn.tools)
        yield TimedStep(0.0, call("transfer_to_agent", "c1", agent_name="assistant") if told else said("Sunny."))

    with Emulator(brain=obedient, speed=math.inf) as api:
        use(api)
        (case,) = await play(*WEATHER)
        assert "route_accuracy" not in failed(case)
        change("desk", instruction="You are a receptionist. Answer everything yourself.")
        (case,) = await play(*WEATHER)
        assert "route_accuracy" in failed(case)


async def test_an_unfillable_instruction_is_refused_before_a_case_is_played(api: Emulator, change: Any) -> None:
    change("assistant", instruction="Answer for {the_place_of_the_user}.")
    with pytest.raises(ConfigError, match="the_place_of_the_user"):  # before a case is played
        await play(*WEATHER)


async def test_argument_match_detects_a_replaced_tool(api: Emulator, change: Any) -> None:
    change("assistant", tools=[{"name": "google_search"}, {"name": "tests.evals.breakage.get_tides"}])
    (case,) = await play(*WEATHER)
    assert "argument_match" in failed(case)


async def test_answer_marks_detects_a_tool_that_answers_for_another_place(api: Emulator, change: Any) -> None:
    change("assistant", tools=[{"name": "google_search"}, {"name": "tests.evals.breakage.get_weather"}])
    (case,) = await play(*AMBIGUOUS)
    assert failed(case) == {"answer_marks"}


@pytest.mark.parametrize(
    ("case", "module"),
    [
        pytest.param(SEARCH, "tools.adk.answer_responses", marks=pytest.mark.nightly),
        (REPORT, "tools.research.report.reading"),
    ],
)
async def test_citation_validity_detects_dropped_citations(
    api: Emulator, monkeypatch: pytest.MonkeyPatch, case: tuple[str, str], module: str
) -> None:
    monkeypatch.setattr(f"{module}.cite", lambda text, citations: (text, ()))
    (played,) = await play(*case)
    assert "citation_validity" in failed(played)


async def test_citation_validity_detects_a_wrong_link(api: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tools.adk.answer_responses.source_list
    monkeypatch.setattr(
        "tools.adk.answer_responses.source_list", lambda sources: real(sources).replace("://", "://elsewhere.")
    )
    (case,) = await play(*SEARCH)
    assert failed(case) == {"citation_validity"}


def eager(turn: Turn) -> Iterator[TimedStep]:
    """Orders a run whatever is said, and says yes to it itself."""
    names = {tool.get("name") for tool in turn.tools}
    if turn.is_agent:
        yield from research_brain(turn)
    elif "start_research" in names and turn.steps[-1]["type"] != "function_result":
        waiting = re.search(r"^- (job_\w+) \| waits", turn.system_instruction, re.MULTILINE)
        number = len(turn.steps)
        if waiting:
            yield TimedStep(0.0, call("approve", f"a{number}", job_id=waiting[1]))
        else:
            yield TimedStep(0.0, call("start_research", f"s{number}", title="All", brief="Everything there is"))
    elif "transfer_to_agent" in names and turn.steps[-1]["type"] != "function_result":
        yield TimedStep(0.0, call("transfer_to_agent", f"c{len(turn.steps)}", agent_name="researcher"))
    else:
        yield TimedStep(0.0, said("Well."))


async def test_research_ordered_after_small_talk_is_detected_and_costs_nothing(use: Any) -> None:
    with Emulator(brain=eager, speed=math.inf) as api:
        use(api)
        (case,) = await play("conversation", "thanks-a-lot")
        assert not any(each["target"].startswith("deep-research") for each in api.interactions())
    assert {"effect_match", "false_starts", "false_research_starts"} <= failed(case)
    assert case_score(case, "false_starts") == 0 and case.creates == case.allowed == 0


async def test_a_run_started_without_a_question_after_small_talk_is_detected(use: Any) -> None:
    with Emulator(brain=eager, speed=math.inf) as api:
        use(api)
        (case,) = await play(*GREETING)
        assert sum(each["target"].startswith("deep-research") for each in api.interactions()) == 1
    assert {"route_accuracy", "false_starts", "false_research_starts"} <= failed(case)
    assert case.creates == case.allowed == 1


async def test_a_model_that_takes_thanks_for_a_yes_fails_false_starts(use: Any) -> None:
    with Emulator(brain=eager, speed=math.inf) as api:
        use(api)
        taken, meant = await play("conversation", "quote-thanks", "quote-go-for-it")
    if taken.id != "quote-thanks":
        taken, meant = meant, taken
    assert taken.turns[-1].scores["false_starts"] == 0
    assert meant.turns[-1].scores["false_starts"] == meant.turns[-1].scores["missed_yeses"] == 1


async def test_a_model_that_ignores_a_yes_fails_missed_yeses(use: Any) -> None:
    def deaf(turn: Turn) -> Iterator[TimedStep]:
        ordered = any(step.get("name") == "start_research" for step in turn.steps)
        yield from [TimedStep(0.0, said("Hm?"))] if ordered else eager(turn)

    with Emulator(brain=deaf, speed=math.inf) as api:
        use(api)
        (case,) = await play("conversation", "quote-go-for-it")
    assert case.turns[-1].scores["missed_yeses"] == 0
    assert {"effect_match", "missed_yeses", "wrong_report"} == failed(case)


async def test_the_server_creates_exactly_the_approved_runs(api: Emulator) -> None:
    (found,) = select_sets(load_sets(ROOT / "evals"), ["conversation"])
    ids = ("deletion-yes", "a-changed-plan-needs-its-own-yes", "quote-no", "that-is-the-last-topic")
    cases = [case for case in found.eval_cases if case.eval_id in ids]
    player = new_player()
    played = [case async for case in player.play([found.model_copy(update={"eval_cases": cases})])]
    assert [case.failed for case in played if not case.passed] == []
    assert player.count.creates == sum(case.creates for case in played) == 4  # one is deleted: it counts
    assert sum(turn.actual.yeses for case in played for turn in case.turns) == 4


async def test_runs_are_still_running_in_a_set_marked_unfinished(api: Emulator) -> None:
    (case,) = await play("running", "progress")
    assert case.passed, case
    assert "still running" in case.turns[-1].actual.text
    async with httpx2.AsyncClient() as client:
        clock = (await client.get(f"{api.url}/_emulator/clock")).json()
    assert clock["speed"] == "inf"  # as it was before


async def test_a_set_is_played_under_its_own_conditions(api: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_ASK_ABOVE_USD", "100")
    monkeypatch.delenv("DESK_ATTACH_SECONDS", raising=False)
    (quoted,) = await play("conversation", "quote-no")
    (started,) = await play(*REPORT)
    assert quoted.passed and quoted.creates == 0
    assert started.passed and started.creates == 1
    assert os.environ["DESK_ASK_ABOVE_USD"] == "100" and "DESK_ATTACH_SECONDS" not in os.environ


async def test_a_create_beyond_the_allowed_number_fails_its_case(
    api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def one(user: str) -> int:
        return 1

    monkeypatch.setattr("evals.runner.creates_of", one)
    (case,) = await play(*GREETING)
    assert not case.passed
    assert case.error == "1 runs or plans were paid for, and 0 allowed"
