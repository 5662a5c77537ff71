"""A turn of a long conversation reads its newest events; no agent loses its chain, and nobody else sees less."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from google.adk.events import Event
from google.adk.sessions import Session
from google.genai import types

from interactions_emulator import Emulator
from tests.routing.test_conversation import brain as conversation
from tests.talk import USER, Talk, creates, words
from tools.adk.sessions.lazy_history import RecentEvents
from tools.adk.sessions.limits import WINDOW_EVENTS
from tools.adk.sessions.windowed_sessions import WindowedInMemorySessions, WindowedSqliteSessions, windowed_reads
from tools.app import build_app
from tools.interactions import backend

MANY = WINDOW_EVENTS  # turns of two events each: twice the window


@pytest.fixture
def api(use: Any) -> Iterator[Emulator]:
    with Emulator(brain=conversation, speed=0) as server:
        use(server)
        yield server


async def small_talk(talk: Talk, turns: int) -> None:
    """Turns that nobody had to play: as their events would stand in the session."""
    session = await talk.session()
    last = next(e.interaction_id for e in reversed(session.events) if e.author == "desk" and e.interaction_id)
    for number in range(turns):
        for author in ("user", "desk"):
            content = types.Content(role="user" if author == "user" else "model", parts=[types.Part(text=f"{number}")])
            named = {"interaction_id": last} if author == "desk" else {}
            event = Event(author=author, content=content, invocation_id=f"i{number}", **named)
            await talk.sessions.append_event(session, event)


async def read(talk: Talk) -> Session:
    """The session as a turn reads it."""
    with windowed_reads():
        session = await talk.sessions.get_session(app_name=talk.runner.app_name, user_id=USER, session_id="s1")
    assert session
    return session


async def test_a_turn_reads_only_the_newest_events_and_other_readers_read_all(api: Emulator) -> None:
    talk = Talk(build_app())
    await talk.say("hello")
    await small_talk(talk, MANY)
    events = (await read(talk)).events
    assert isinstance(events, RecentEvents)
    assert WINDOW_EVENTS - 2 <= len(events) <= WINDOW_EVENTS
    assert events[0].author == "user"
    assert len((await talk.session()).events) == len(await events.load_all()) == 2 + 2 * MANY


async def test_an_agent_continues_its_chain_after_many_turns_and_receives_what_it_missed(api: Emulator) -> None:
    talk = Talk(build_app())
    assert await talk.ask("weather in Lisbon") == "WEATHER Lisbon"
    chain = (await talk.session()).events[-1].interaction_id
    await talk.say("hello")
    await small_talk(talk, MANY)
    assert await talk.ask("and tomorrow") == "WEATHER Lisbon"
    asked = next(body for body in creates(api)[5:] if any(t.get("name") == "get_weather" for t in body["tools"]))
    assert asked["previous_interaction_id"] == chain
    said = [content["text"] for step in asked["input"] for content in step.get("content") or ()]
    assert {str(number) for number in range(MANY)} <= {word for text in said for word in text.split()}


async def test_a_deleted_chain_is_rebuilt_from_the_whole_conversation(api: Emulator) -> None:
    talk = Talk(build_app())
    await talk.say("hello")
    await small_talk(talk, MANY)
    for interaction in api.interactions():
        await backend.transport().delete(interaction["id"])
    await talk.say("hello again")
    assert len(creates(api)[-1]["input"]) >= 2 * MANY


async def test_a_rewound_conversation_is_read_completely(api: Emulator) -> None:
    talk = Talk(build_app())
    await talk.say("hello")
    await small_talk(talk, MANY)
    await talk.runner.rewind_async(user_id=USER, session_id="s1", rewind_before_invocation_id="i0")
    assert not isinstance((await read(talk)).events, RecentEvents)
    assert words((await talk.say("hello"))[-1]) == "SMALL TALK"


async def test_a_short_conversation_is_read_completely() -> None:
    sessions = WindowedInMemorySessions()
    session = await sessions.create_session(app_name="a", user_id="u", session_id="s")
    await sessions.append_event(session, Event(author="user"))
    with windowed_reads():
        found = await sessions.get_session(app_name="a", user_id="u", session_id="s")
    assert found
    assert not isinstance(found.events, RecentEvents)
    assert len(found.events) == 1


async def test_a_repeated_event_is_stored_once() -> None:
    sessions = WindowedInMemorySessions()
    session = await sessions.create_session(app_name="a", user_id="u", session_id="s")
    events = [Event(author="user") for _ in range(3 * WINDOW_EVENTS)]
    for event in events:
        await sessions.append_event(session, event)
    await sessions.append_event(session, events[-2])
    found = await sessions.get_session(app_name="a", user_id="u", session_id="s")
    assert found
    assert found.events == events


async def test_sqlite_finds_the_newest_events_by_an_index(tmp_path: Path) -> None:
    file = str(tmp_path / "sessions.db")
    sessions = WindowedSqliteSessions(file)
    await sessions.get_session(app_name="a", user_id="u", session_id="s")
    query = "SELECT event_data FROM events WHERE app_name=? AND user_id=? AND session_id=?"
    with closing(sqlite3.connect(file)) as database:
        [plan] = database.execute(
            f"EXPLAIN QUERY PLAN {query} ORDER BY timestamp DESC, rowid DESC LIMIT 60", ("a", "u", "s")
        ).fetchall()
    assert "ix_events_newest" in plan[-1]
