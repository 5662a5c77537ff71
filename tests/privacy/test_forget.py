""" "Forget this conversation" leaves nothing of it but a receipt, or names what it could not delete."""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.adk.agents.run_config import StreamingMode
from google.adk.apps import App
from google.adk.events import Event, EventActions
from google.adk.sessions import BaseSessionService, DatabaseSessionService
from google.genai import types

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.research.test_turns import sent
from tests.routing import test_conversation
from tests.scripts import said
from tests.talk import USER, Talk, creates, new_sessions, text_of, words
from tools.app import build_app
from tools.privacy.interaction_deletion import REFUSED_KEY
from tools.research.factory import close, research
from tools.research.order import Order
from tools.research.quotas import Quotas
from tools.research.schedules.timing import Timing

TURNS = (
    "hello",
    "weather in Lisbon",
    "please search for it",
    "moderate this: buy now",
    "research tides",
    "draw a boat",
    "thanks",
)
FORGET, YES, ANYWAY = "Please forget this conversation.", "yes, forget it", "forget it anyway"
CONTENT = ("Lisbon", "tides", "boat", "buy now", "Tides", "SMALL TALK")
DOWN = {"on": "delete", "status": 403, "times": 0}


def brain(turn: Turn) -> Iterator[TimedStep]:
    """The brain of the routing tests, except that its moderator gives a verdict only when asked twice."""
    if turn.response_schema and "does not match" not in text_of(turn.steps[-1]):
        yield TimedStep(0, said("no verdict"))
    else:
        yield from test_conversation.brain(turn)


@pytest.fixture
def api(use: Any) -> Iterator[Emulator]:
    with Emulator(brain=brain, speed=math.inf) as server:
        use(server)
        yield server


@pytest.fixture
async def app(api: Emulator) -> AsyncIterator[App]:
    yield build_app()
    await close()


NIGHTLY = [pytest.param(kind, marks=pytest.mark.nightly) for kind in ("memory", "database")]
each_database = pytest.mark.parametrize("sessions", ["sqlite", "database", NIGHTLY[0]], indirect=True)
"""For tests of what is deleted. All others depend on the place of the conversations less, and ask one every day."""


@pytest.fixture(params=["sqlite", *NIGHTLY])
async def sessions(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BaseSessionService]:
    if request.param == "database":
        async with DatabaseSessionService(f"sqlite+aiosqlite:///{tmp_path / 'sessions.db'}") as service:
            yield service
    else:
        yield new_sessions(request.param, tmp_path)


async def conversation_after(
    app: App, sessions: BaseSessionService | None = None, session_id: str = "s1", *turns: str
) -> Talk:
    """A conversation after these turns."""
    talk = Talk(app, sessions, session_id=session_id)
    for text in turns or TURNS:
        await talk.say(text)
    return talk


async def files(talk: Talk) -> list[str]:
    names = {"app_name": talk.runner.app_name, "user_id": USER, "session_id": talk.session_id}
    return await talk.artifacts.list_artifact_keys(**names)


def stored(api: Emulator) -> set[str]:
    return {interaction["id"] for interaction in api.interactions()}


def rows(file: Path) -> str:
    """Everything that a SQLite file holds, as text."""
    with sqlite3.connect(file) as connection:
        return "\n".join(connection.iterdump())


@each_database
async def test_forgetting_a_conversation_leaves_nothing_but_a_receipt(
    api: Emulator, app: App, sessions: BaseSessionService, tmp_path: Path
) -> None:
    talk = await conversation_after(app, sessions)
    jobs, before = await research().ledger.find(user=USER), stored(api)
    assert len(before) >= 10
    assert await files(talk)
    await talk.say(FORGET)
    known = stored(api)
    assert before < known  # the question is an interaction of the root
    receipt = await talk.ask(YES)
    assert stored(api) == set()
    counted = re.search(r"^- (\d+) interactions: deleted at the server$", receipt, re.MULTILINE)
    assert counted and int(counted[1]) >= len(known)  # the yes is an interaction too
    assert "refused" not in receipt
    assert f"- {jobs[0].id}: deleted from the ledger, with its report" in receipt
    assert await research().ledger.find(user=USER) == []
    assert await research().ledger.questions(USER, talk.session_id) == []
    assert await files(talk) == []
    session = await talk.session()
    assert [words(event) for event in session.events] == [receipt]
    assert session.state == {}
    for word in CONTENT:
        assert word not in receipt
        assert not (tmp_path / "sessions.db").exists() or word not in rows(tmp_path / "sessions.db")


async def test_the_next_message_after_forgetting_starts_a_new_chain(
    api: Emulator, app: App, sessions: BaseSessionService, caplog: pytest.LogCaptureFixture
) -> None:
    talk = await conversation_after(app, sessions, "s1", "weather in Lisbon", "thanks", FORGET, YES)
    assert (await talk.session()).events[0].author == "desk"
    before = len(creates(api))
    assert "WEATHER Oslo" in await talk.ask("weather in Oslo")
    fresh = creates(api)[before:]
    assert "previous_interaction_id" not in fresh[0]
    assert "Lisbon" not in json.dumps(fresh)
    assert "WEATHER Oslo" in await talk.ask("and tomorrow")
    assert [r["status"] for r in api.log()["requests"] if r["status"] >= 400] == []
    await talk.say(FORGET)
    await talk.say(YES)
    assert stored(api) == set()
    assert "unknown agent" not in caplog.text


async def test_forgetting_leaves_other_conversations_unchanged(
    api: Emulator, app: App, sessions: BaseSessionService
) -> None:
    other = await conversation_after(app, sessions, "other", "weather in Oslo", "research tides")
    kept, events = stored(api), (await other.session()).events
    job = (await research().ledger.find(user=USER))[0]
    talk = await conversation_after(app, sessions, "s1", "hello", f"What does research {job.id} say about the moon?")
    assert (await research().job(job.id)).follow_ups
    told = Event(author="researcher", interaction_id=job.interaction_id)
    await sessions.append_event(await talk.session(), told)
    await talk.say(FORGET)
    await talk.say(YES)
    assert len((await talk.session()).events) == 1
    assert stored(api) == kept
    assert (await other.session()).events == events
    assert await research().report(job.id)
    assert not (await research().job(job.id)).follow_ups
    assert "WEATHER Oslo" in await other.ask("and tomorrow")


async def test_forgetting_keeps_files_and_state_of_the_user_and_says_so(
    api: Emulator, app: App, sessions: BaseSessionService
) -> None:
    talk = await conversation_after(app, sessions, "s1", "hello")
    event = Event(author="desk", actions=EventActions(state_delta={"user:name": "Ada", "topic": "tides"}))
    await sessions.append_event(await talk.session(), event)
    for name in ("user:cv.md", "notes.md", "notes.md"):
        names = {"app_name": talk.runner.app_name, "user_id": USER, "session_id": talk.session_id}
        await talk.artifacts.save_artifact(**names, filename=name, artifact=types.Part(text="words"))  # type: ignore[arg-type]
    await talk.say(FORGET)
    receipt = await talk.ask(YES)
    assert "1 file in 2 versions: deleted" in receipt
    assert "1 file for all conversations: left alone" in receipt
    assert "1 value of state for all conversations: left alone" in receipt
    assert await files(talk) == ["user:cv.md"]
    assert (await talk.session()).state == {"user:name": "Ada"}


async def test_a_yes_counts_only_directly_after_the_question(
    api: Emulator, app: App, sessions: BaseSessionService
) -> None:
    talk = await conversation_after(app, sessions, "s1", "hello")
    known = stored(api)
    await talk.say(YES)
    assert "yes, forget it" in await talk.ask(FORGET)
    assert (await talk.ask("No, thanks")).startswith("Nothing was deleted.")
    await talk.say(YES)
    await talk.say(FORGET)
    await talk.say("hello again")
    await talk.say("yes")
    assert known < stored(api)
    restarted = Talk(app, sessions)
    await restarted.say(FORGET)
    assert "is forgotten" in await Talk(app, sessions).ask("Yes!")


@each_database
async def test_local_data_is_kept_until_the_server_has_deleted_everything(
    api: Emulator, app: App, sessions: BaseSessionService
) -> None:
    talk = await conversation_after(app, sessions)
    known, before = stored(api), (await talk.session()).events
    api.faults({**DOWN, "skip": 4})
    await talk.say(FORGET)
    held = await talk.ask(YES)
    assert held.startswith("**Not forgotten yet.**")
    assert all(f"interaction {id_}: **not deleted at the server**" in held for id_ in stored(api))
    assert f"- {len(known - stored(api))} interactions: deleted at the server\n" in held
    assert (await talk.session()).events[: len(before)] == before
    assert await files(talk)
    assert await research().ledger.find(user=USER)
    api.faults()
    assert "already gone" in await talk.ask(YES)
    assert stored(api) == set()
    assert len((await talk.session()).events) == 1


async def test_insisting_deletes_local_data_and_keeps_the_ids_left_at_the_server(
    api: Emulator, app: App, sessions: BaseSessionService
) -> None:
    talk = await conversation_after(app, sessions)
    api.faults(DOWN)
    for text in (FORGET, YES):
        await talk.say(text)
    receipt = await talk.ask(ANYWAY)
    known = stored(api)
    assert receipt.startswith("**Forgotten here**, but not at the server")
    assert (await files(talk), await research().ledger.find(user=USER)) == ([], [])
    session = await talk.session()
    said = [words(event) for event in session.events if event.content]
    assert (said, set(session.state[REFUSED_KEY])) == ([receipt], known)
    api.faults()
    await talk.say(FORGET)
    assert "is forgotten" in await talk.ask(YES)
    assert (stored(api), (await talk.session()).state) == (set(), {})


async def test_nothing_is_deleted_while_the_server_cannot_be_reached(
    app: App, api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.interactions.retry.FIRST_WAIT_S", 0)
    talk = await conversation_after(app)
    known, before = stored(api), len((await talk.session()).events)
    api.faults({"on": "delete", "drop": True, "times": 0}, {"on": "get", "drop": True, "times": 0})
    await talk.say(FORGET)
    assert "**Not forgotten yet.**" in await talk.ask(YES)
    assert len((await talk.session()).events) > before
    assert known < stored(api)


async def test_deletions_are_retried_while_the_server_is_busy(
    app: App, api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.interactions.retry.FIRST_WAIT_S", 0)
    talk = await conversation_after(app)
    api.faults({"on": "delete", "status": 503, "times": 3}, {"on": "get", "status": 429, "retry_after_ms": 1})
    await talk.say(FORGET)
    assert "**This conversation is forgotten**" in await talk.ask(YES)
    assert stored(api) == set()


@pytest.mark.parametrize("step", ["delete_artifact", "delete_session"])
async def test_an_interrupted_deletion_is_finished_by_another_yes(
    api: Emulator, app: App, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await conversation_after(app)
    store = talk.artifacts if step == "delete_artifact" else talk.sessions

    async def broken(self: Any, **names: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(type(store), step, broken)
        await talk.say(FORGET)
        assert "Not everything was forgotten yet: the disk is full" in await talk.ask(YES)
    assert "is forgotten" in await talk.ask(YES)
    assert (stored(api), await files(talk), await research().ledger.find(user=USER)) == (set(), [], [])
    assert len((await talk.session()).events) == 1


async def test_forgetting_cancels_and_deletes_a_running_research_run(
    api: Emulator, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_ATTACH_SECONDS", "0.5")
    api.set_speed(0)
    talk = await conversation_after(app, None, "s1", "research tides")
    assert [research["status"] for research in await sent(api, 1)] == ["in_progress"]
    await talk.say(FORGET)
    assert "is forgotten" in await talk.ask(YES)
    assert [r["kind"] for r in api.log()["requests"]].count("cancel") == 1
    assert (stored(api), await research().ledger.find(user=USER)) == (set(), [])


async def test_a_run_that_cannot_be_cancelled_stays_in_the_ledger(
    api: Emulator, app: App, sessions: BaseSessionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_ATTACH_SECONDS", "0.5")
    api.set_speed(0)
    talk = await conversation_after(app, sessions, "s1", "research tides")
    await sent(api, 1)
    await talk.say(FORGET)
    (job,) = await research().ledger.find(user=USER)
    api.faults({"on": "cancel", "status": 503, "times": 0})
    for answer, begin in ((YES, "**Not forgotten yet.**"), (ANYWAY, "**Forgotten here**, but not at the server")):
        told = await talk.ask(answer)
        assert told.startswith(begin)
        assert f"research {job.id}: **not ended, stays in the ledger**" in told
    assert [i["status"] for i in api.interactions() if i["target"].startswith("deep-research")] == ["in_progress"]
    assert len((await talk.session()).events) == 1
    api.faults()
    await talk.say(FORGET)
    assert "is forgotten" in await talk.ask(YES)
    assert (stored(api), await research().ledger.find(user=USER)) == (set(), [])


async def test_a_run_of_another_server_is_not_reported_as_deleted(api: Emulator, app: App) -> None:
    talk = await conversation_after(app, None, "s1", "research tides", FORGET)
    (job,) = await research().ledger.find(user=USER)
    await research().ledger.change(job.id, {job.state}, 0.0, server="gemini")
    told = await talk.ask(YES)
    assert (
        f"interaction {job.interaction_id}: **not deleted at the server** (it is of {job.id}, whose server is" in told
    )
    await talk.say(ANYWAY)
    assert (await talk.session()).state == {REFUSED_KEY: [job.interaction_id]}


async def test_forgetting_includes_failed_rewound_and_abandoned_turns(api: Emulator, app: App) -> None:
    talk = Talk(app, mode=StreamingMode.SSE)
    await talk.say("hello")
    invocation = (await talk.session()).events[0].invocation_id
    await talk.say("moderate this: buy")
    left = talk.events("weather in Lisbon")
    async for event in left:
        if event.get_function_calls() and not event.partial:
            break
    await left.aclose()  # type: ignore[attr-defined]
    await talk.runner.rewind_async(user_id=USER, session_id="s1", rewind_before_invocation_id=invocation)
    await talk.say("thanks")
    await talk.say(FORGET)
    await talk.say(YES)
    assert stored(api) == set()
    assert len((await talk.session()).events) == 1


async def test_the_schedules_of_a_forgotten_conversation_end_and_no_others(app: App) -> None:
    talk = await conversation_after(app, None, "s1", "hello")
    kept = []
    for session, user in (("s1", USER), ("s2", USER), ("s1", "eve")):
        order = Order(f"What is new? {session}", user, session, "deep-research-preview-04-2026")
        made, _ = await research().schedules.add(order, Timing("0 8 * * 1", "UTC"), 9, Quotas())
        kept += [made] if (session, user) != ("s1", USER) else []
    await talk.say(FORGET)
    receipt = "\n".join(words(event) for event in await talk.say(YES))
    assert re.search(r"schedule sched_\w+: deleted", receipt)
    assert [*await research().schedules.of_user(USER), *await research().schedules.of_user("eve")] == kept
