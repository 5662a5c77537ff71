"""Conversations with the researcher: turns end in time, and nothing is spent without a yes."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.adk.agents.run_config import StreamingMode
from google.adk.sessions import InMemorySessionService

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.conftest import ROOT, Later
from tests.routing.test_conversation import Talk, words
from tests.scripts import call, managing, research_brain, said
from tests.talk import USER
from tools.app import build_app
from tools.research.job_states import State
from tools.research.job_tasks import JobTask
from tools.research.ledger import Ledger
from tools.research.timeouts import WATCH_GRACE_S
from tools.settings import load_settings

Budget = Callable[[float], None]


def brain(turn: Turn) -> Iterator[TimedStep]:
    """A root that sends everything to the researcher."""
    if turn.is_agent and turn.agent_config.get("collaborative_planning"):
        yield TimedStep(60, said("1. Look at the sea."))
    elif turn.is_agent:
        yield from research_brain(turn)
    elif "start_research" in {tool.get("name") for tool in turn.tools}:
        yield from managing(turn)
    elif "transfer_to_agent" in {tool.get("name") for tool in turn.tools}:
        yield TimedStep(0, call("transfer_to_agent", f"fc_{len(turn.steps)}", agent_name="researcher"))
    else:
        yield TimedStep(0, said("The moon."))


@pytest.fixture
def api(use: Any) -> Iterator[Emulator]:
    """A server whose time stands still until it is told to move."""
    with Emulator(brain=brain, speed=0) as server:
        use(server)
        yield server


@pytest.fixture
def talk() -> Talk:
    return new_session()


def new_session() -> Talk:
    return Talk(build_app(), InMemorySessionService(), StreamingMode.NONE, uuid.uuid4().hex)


async def say(talk: Talk, text: str) -> str:
    """Takes a turn and returns its last message. Fails if the turn takes longer than 300 s."""
    return words((await asyncio.wait_for(talk.say(text), 300))[-1])


def researches(api: Emulator) -> list[dict[str, Any]]:
    return [i for i in api.interactions() if i["target"].startswith("deep-research")]


async def sent(api: Emulator, number: int) -> list[dict[str, Any]]:
    """Waits until the server has `number` research runs, since a short turn may end before its run is sent."""
    while len(found := researches(api)) < number:
        await asyncio.sleep(0)
    return found


async def an_hour_passes(api: Emulator) -> None:
    """Lets an hour pass at the server once it has a research run."""
    await sent(api, 1)
    api.advance(3600)


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch) -> Budget:
    """Sets the seconds that a turn may take; 0.1 by default."""

    def allow(seconds: float) -> None:
        monkeypatch.setenv("DESK_ATTACH_SECONDS", str(seconds))

    allow(0.1)
    return allow


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when a turn begins to watch a run; the end of its time budget is fixed then."""
    begun, watch = asyncio.Event(), JobTask.watch

    def begin(task: JobTask, end: float | None) -> AsyncGenerator[str, None]:
        begun.set()
        return watch(task, end)

    monkeypatch.setattr(JobTask, "watch", begin)
    return begun


@pytest.mark.parametrize("hangs", [None, "cancel", "get"])
async def test_no_turn_lasts_longer_than_its_time_budget(
    api: Emulator, talk: Talk, budget: Budget, later: Later, watching: asyncio.Event, hangs: str | None
) -> None:
    async def asked(kind: str, step: float = 0) -> None:
        while kind not in {request["kind"] for request in api.log()["requests"]}:
            later(step)
            await asyncio.sleep(0)

    assert "is still running" in await say(talk, "tides")
    await sent(api, 1)
    if hangs:
        api.faults({"on": hangs, "hang": True, "times": 0})
    if hangs == "get":
        await asked("get", step=1)  # the stream is silent, so the run is read in the end
    budget(10)
    watching.clear()
    taking = asyncio.create_task(talk.say("cancel it" if hangs == "cancel" else "status"))
    await (asked("cancel") if hangs == "cancel" else watching.wait())
    later(10 + WATCH_GRACE_S if hangs == "cancel" else 10)  # the hanging call itself may take 60 s
    end = words((await asyncio.wait_for(taking, 50))[-1])
    assert ("there was no answer in time" if hangs == "cancel" else "is still running") in end
    api.faults()
    later(60)
    await an_hour_passes(api)
    budget(60)
    assert "# Tides" in await say(talk, "status")
    assert len(await sent(api, 1)) == 1


async def test_closing_one_runner_does_not_disturb_the_turn_of_another(api: Emulator) -> None:
    async def pass_time() -> None:
        while True:
            await asyncio.to_thread(api.advance, 60)

    app, said = build_app(), [""]
    one, other = (Talk(app, InMemorySessionService(), StreamingMode.NONE, name) for name in ("one", "other"))
    passing = asyncio.create_task(pass_time())
    async for event in one.events("tides"):
        if "begins" in said[-1]:
            await other.runner.close()  # as `adk eval` does after each case
        said.append(words(event))
    passing.cancel()
    assert "# Tides" in said[-1]


async def test_a_run_of_a_lost_session_is_found_by_asking_for_status_or_ordering_again(
    api: Emulator, talk: Talk, budget: Budget
) -> None:
    await say(talk, "tides")
    assert "is still running" in await say(new_session(), "What is the status of my research?")
    assert "is still running" in await say(new_session(), "Tides")
    await an_hour_passes(api)
    budget(60)
    assert "# Tides" in await say(new_session(), "How far is my research?")
    assert len(await sent(api, 1)) == 1


async def test_deep_research_max_starts_only_after_a_yes_to_its_price(
    api: Emulator, talk: Talk, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_ASK_ABOVE_USD", "3")
    assert "Price: about $3 to $7" in await say(talk, "Write a Deep Research Max study of tides")
    assert researches(api) == []
    assert "is still running" in await say(talk, "go ahead")
    assert [research["target"] for research in await sent(api, 1)] == ["deep-research-max-preview-04-2026"]


async def test_a_repeated_run_shows_its_price_and_starts_only_after_a_yes(
    api: Emulator, talk: Talk, budget: Budget, asks: None
) -> None:
    order = "Write a research report on tides"
    for text in (order, "yes"):
        await say(talk, text)
    await an_hour_passes(api)
    budget(60)
    assert "To pay for a new run: “start again job_" in await say(talk, order)
    budget(0.1)
    assert "Price: about $1 to $3" in await say(talk, "start it again")
    assert len(await sent(api, 1)) == 1
    assert "is still running" in await say(talk, "yes")
    assert len(await sent(api, 2)) == 2


async def test_a_report_that_is_shown_twice_is_saved_once(api: Emulator, talk: Talk, budget: Budget) -> None:
    await say(talk, "tides")
    await an_hour_passes(api)
    budget(60)
    for _ in range(2):
        assert "Saved as artifacts: " in await say(talk, "status")
    place = {"app_name": talk.runner.app_name, "user_id": USER, "session_id": talk.session_id}
    names = await talk.artifacts.list_artifact_keys(**place)
    assert len(names) == 4
    assert [await talk.artifacts.list_versions(**place, filename=name) for name in names] == [[0]] * 4


async def test_a_turn_cancelled_at_any_time_leaves_a_run_that_can_be_found(api: Emulator, budget: Budget) -> None:
    for number, milliseconds in enumerate((1, 20, 100)):
        talk, brief = new_session(), f"tides {number}"
        turn = asyncio.create_task(talk.say(brief))
        await asyncio.wait({turn}, timeout=milliseconds / 1000)
        turn.cancel()
        await asyncio.gather(turn, return_exceptions=True)
        answer = await say(talk, brief)  # the model has seen the run, or its order is placed once more
        assert "is still running" in answer or "is running and cannot be changed any more" in answer
    assert len(await sent(api, 3)) == 3


async def test_a_conversation_continues_from_research_to_questions_to_further_research(
    api: Emulator, talk: Talk, budget: Budget
) -> None:
    await say(talk, "tides")
    await an_hour_passes(api)
    budget(60)
    assert "# Tides" in await say(talk, "status")
    for text in ("Summarise it for my board", "shorter, please", "Should we research on from there?"):
        assert (await say(talk, text)).endswith("\n\nThe moon.")
    [first] = researches(api)
    budget(0.1)
    begins, running = [words(event) for event in await talk.say("Research further from there")][-2:]
    assert f"building on `{job_in(running, begins)[1]}`" in begins
    assert "is still running" in running
    assert len(await sent(api, 2)) == 2
    previous, asked = researches(api)[1]["previous_interaction_id"], 0
    known = {line["id"]: line for line in api.interactions()}
    while previous != first["id"]:
        previous, asked = known[previous]["previous_interaction_id"], asked + 1
    assert asked == 3
    assert "is still running" in await say(talk, "research further from there")
    assert len(await sent(api, 2)) == 2


def job_in(*texts: str) -> list[str]:
    """The job ids in the texts, in order of appearance."""
    return list(dict.fromkeys(name for text in texts for name in re.findall(r"job_\w{8}", text)))


async def test_private_mode_starts_nothing_but_shows_and_deletes_existing_research(
    api: Emulator, talk: Talk, budget: Budget, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await say(talk, "tides")
    await an_hour_passes(api)
    budget(60)
    assert "# Tides" in await say(talk, "status")
    monkeypatch.setenv("DESK_CONFIG", str(private))
    quiet = Talk(build_app(), talk.sessions, StreamingMode.NONE, talk.session_id)
    for text in ("new research: the sun", "Summarise it for my board", "Research further from there", "start it again"):
        refused = await say(quiet, text)
        assert "`store: false`" in refused
        assert "status, list, report, cancel and forget work" in refused
    assert "# Tides" in await say(quiet, "status")
    assert "Tides" in await say(quiet, "list my research runs")
    assert len([line for line in api.interactions() if line["background"]]) == 1
    assert "cannot be undone" in await say(quiet, "delete the report")
    assert "deleted at the server" in await say(quiet, "yes")
    assert researches(api) == []


async def test_private_mode_neither_approves_nor_sends_waiting_jobs(
    api: Emulator, talk: Talk, budget: Budget, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_ASK_ABOVE_USD", "3")
    await say(talk, "Write a Deep Research Max study of tides")
    monkeypatch.setenv("DESK_CONFIG", str(private))
    quiet = Talk(build_app(), talk.sessions, StreamingMode.NONE, talk.session_id)
    assert "`store: false`" in await say(quiet, "go ahead")
    ledger = Ledger(load_settings().ledger_url)
    [job] = await ledger.find()
    # As if the process had died after the approval.
    await ledger.change(job.id, {State.AWAITING_APPROVAL}, time.time(), state=State.INTENDED)
    await ledger.close()
    assert "`store: false`" in await say(quiet, "status")
    assert "`store: false`" in await say(quiet, f"yes, start {job.id}")
    assert "is cancelled" in await say(quiet, "cancel it")
    assert researches(api) == []


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """The project's configuration with a researcher that may store nothing."""
    folder = tmp_path / "configs"
    shutil.copytree(ROOT / "configs", folder)
    file = folder / "researcher.yaml"
    file.write_text(file.read_text().replace("store: true", "store: false"))
    return folder / "desk.yaml"
