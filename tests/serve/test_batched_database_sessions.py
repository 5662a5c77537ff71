"""A turn's session is read once and written in few transactions, and is stored as ADK would store it."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from google.adk.errors._stale_session_error import StaleSessionError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events import Event, EventActions
from google.adk.sessions import BaseSessionService, DatabaseSessionService, Session
from google.genai import types

from interactions_emulator import Emulator
from tests.forks import Fork
from tests.ledger.server import Server, statements
from tests.routing.test_conversation import TURNS
from tests.routing.test_conversation import brain as conversation
from tests.talk import Talk, refusals
from tools.adk.sessions import newest_events
from tools.adk.sessions.batched_database_sessions import BatchedDatabaseSessions
from tools.adk.sessions.lazy_history import RecentEvents
from tools.adk.sessions.limits import KEPT_CHARS
from tools.app import build_app

NAMES = {"app_name": "desk", "user_id": "ada", "session_id": "s1"}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/sessions.db"
    server: Server = request.getfixturevalue("postgres")
    return server.create_database()


def said(author: str, text: str, **more: Any) -> Event:
    content = types.Content(role="user" if author == "user" else "model", parts=[types.Part(text=text)])
    return Event(author=author, content=content, invocation_id="i1", **more)


def called(name: str) -> Event:
    call = types.FunctionCall(id="c1", name=name, args={"a": 1})
    return Event(author="desk", content=types.Content(role="model", parts=[types.Part(function_call=call)]))


def answered(name: str) -> Event:
    result = types.FunctionResponse(id="c1", name=name, response={"b": None})
    return Event(author="desk", content=types.Content(role="user", parts=[types.Part(function_response=result)]))


async def opened(sessions: BaseSessionService, create: bool = False) -> Session:
    if create:
        await sessions.create_session(**NAMES, state={"begun": True, "user:name": "Ada"})
    found = await sessions.get_session(**NAMES)
    assert found
    return found


async def stored(url: str) -> Session:
    """The session as ADK reads it."""
    async with DatabaseSessionService(url) as sessions:
        return await opened(sessions)


async def test_events_and_state_are_stored_as_adk_stores_them(url: str, tmp_path: Path) -> None:
    other = f"sqlite+aiosqlite:///{tmp_path}/other.db"
    events = [
        said("user", "Grüße"),
        called("transfer_to_agent"),
        answered("transfer_to_agent"),
        said("assistant", "partial", partial=True),
        called("get_weather"),
        answered("get_weather"),
        said("assistant", "Sun.", actions=EventActions(state_delta={"seen": 1, "temp:now": 2})),
        said("assistant", "More.", actions=EventActions(state_delta={"user:name": "Grace", "seen": 2})),
        said("assistant", "End.", actions=EventActions(state_delta={"last": [1, None]}, artifact_delta={"a.png": 0})),
    ]
    async with BatchedDatabaseSessions(url) as ours, DatabaseSessionService(other) as adk:
        await opened(ours, create=True)
        theirs = await opened(adk, create=True)
        async with ours.turn():
            session = await opened(ours)
            for event in events:
                await ours.append_event(session, event.model_copy(deep=True))
        for event in events:
            await adk.append_event(theirs, event.model_copy(deep=True))
        assert session.state == theirs.state
        assert session.events == theirs.events
        assert session.last_update_time == theirs.last_update_time
        await ours.append_event(session, said("user", "A change outside of a turn."))
    found, expected = await stored(url), await stored(other)
    assert found.events[:-1] == expected.events
    assert found.state == expected.state


@pytest.mark.parametrize("url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly)], indirect=True)
async def test_the_next_turn_knows_what_was_stored(url: str, use: Any) -> None:
    with Emulator(brain=conversation) as api:
        use(api)
        async with BatchedDatabaseSessions(url) as sessions:
            talk = Talk(build_app(), sessions)
            await sessions.create_session(**NAMES)
            for text, _, _ in TURNS:
                async with sessions.turn():
                    _ = [event async for event in talk.events(text)]
                    known = await opened(sessions)
                found = await stored(url)
                newest = found.events[-len(known.events) :]
                assert [event.model_dump() for event in known.events] == [event.model_dump() for event in newest]
                assert known.state == found.state
        assert not refusals(api)


async def test_another_process_s_events_are_read_in_the_next_turn(url: str) -> None:
    async with BatchedDatabaseSessions(url) as one, BatchedDatabaseSessions(url) as two:
        await opened(one, create=True)
        for number in range(3):
            for sessions in (one, two):
                async with sessions.turn():
                    session = await opened(sessions)
                    await sessions.append_event(session, said("user", f"{number}"))
                    await sessions.append_event(session, said("desk", f"{number}"))
        assert len(session.events) == 12
        assert session.events == (await stored(url)).events


async def test_a_message_and_its_answer_are_one_transaction_and_an_answer_is_stored_when_it_is_shown(url: str) -> None:
    async with BatchedDatabaseSessions(url) as sessions:
        await opened(sessions, create=True)
        async with sessions.turn():
            session = await opened(sessions)
            for event in (said("user", "hello"), called("transfer_to_agent"), answered("transfer_to_agent")):
                await sessions.append_event(session, event)
            await sessions.append_event(session, said("assistant", "Hel", partial=True))
            assert not (await stored(url)).events
            await sessions.append_event(session, said("assistant", "Hello."))
            assert len((await stored(url)).events) == 4
            await sessions.append_event(session, called("get_weather"))  # stored before the tool runs
            assert len((await stored(url)).events) == 5


async def test_a_turn_reads_nothing_older_than_the_events_that_fill_its_window(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest_events, "WINDOW_CHARS", 10_000)
    async with BatchedDatabaseSessions(url) as writer, BatchedDatabaseSessions(url) as sessions:
        await opened(writer, create=True)
        sizes = (1, 7_000, 7_000, 1, 50_000, 1)
        windows = [range(1), range(2), range(1, 3), range(1, 4), range(4, 5), range(4, 6)]
        for number, (size, window) in enumerate(zip(sizes, windows, strict=True)):
            async with writer.turn():
                session = await opened(writer)
                await writer.append_event(session, said("user", f"{number}" * size))
                await writer.append_event(session, said("desk", f"{number}"))
                known = (await opened(writer)).events
            async with sessions.turn():
                found = (await opened(sessions)).events
            for each in (found, known):
                assert [event.author for event in each] == ["user", "desk"] * len(window)
                assert each[0].content.parts[0].text[0] == f"{window[0]}"  # type: ignore[index, union-attr]
                if window[0]:
                    assert isinstance(each, RecentEvents)
                    assert len(await each.load_all()) == 2 * number + 2


async def test_a_turn_is_written_to_postgresql_by_one_statement(postgres: Server) -> None:
    async with BatchedDatabaseSessions(postgres.create_database()) as sessions:
        sent = statements(sessions.db_engine)
        await opened(sessions, create=True)
        async with sessions.turn():
            session = await opened(sessions)
            await sessions.append_event(session, said("user", "hello"))
            sent.clear()
            await sessions.append_event(session, said("desk", "Hello.", actions=EventActions(state_delta={"seen": 1})))
    [statement] = sent
    assert "UPDATE sessions" in statement and "INSERT INTO events" in statement


async def test_an_open_reader_of_a_sqlite_file_does_not_hold_up_a_turn(tmp_path: Path) -> None:
    file = tmp_path / "sessions.db"
    async with BatchedDatabaseSessions(f"sqlite+aiosqlite:///{file}", connect_args={"timeout": 0}) as sessions:
        await opened(sessions, create=True)
        async with sessions.turn():
            session = await opened(sessions)
            await sessions.append_event(session, said("user", "hello"))
            with closing(sqlite3.connect(file, isolation_level=None)) as reader:
                reader.execute("BEGIN")
                reader.execute("SELECT * FROM events").fetchall()
                await sessions.append_event(session, said("desk", "Hello."))  # else: database is locked


async def test_deleted_and_very_large_conversations_are_not_kept_in_memory(tmp_path: Path) -> None:
    async with BatchedDatabaseSessions(f"sqlite+aiosqlite:///{tmp_path}/sessions.db") as sessions:
        await opened(sessions, create=True)
        state = EventActions(state_delta={"text": "long" * KEPT_CHARS})
        for large in (said("desk", "long" * KEPT_CHARS), said("desk", "short", actions=state)):
            for event, kept in ((said("desk", "short"), 1), (large, 0), (said("desk", "short"), 0)):
                async with sessions.turn():
                    await sessions.append_event(await opened(sessions), event)
                assert len(sessions._known) == kept
            await sessions.delete_session(**NAMES)
            await opened(sessions, create=True)
        async with sessions.turn():
            await sessions.append_event(await opened(sessions), said("desk", "short"))
        assert len(sessions._known) == 1
        await sessions.delete_session(**NAMES)
        assert not sessions._known


@pytest.mark.parametrize("how", ["it is cancelled", "it takes long"])
async def test_the_message_of_a_turn_without_an_answer_is_stored_when(how: str, tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/sessions.db"
    async with BatchedDatabaseSessions(url) as sessions:
        await opened(sessions, create=True)
        waiting = asyncio.Event()
        if how == "it takes long":
            sessions.write_after_s = 0

        async def turn() -> None:
            async with sessions.turn():
                await sessions.append_event(await opened(sessions), said("user", "hello"))
                waiting.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(turn())
        await waiting.wait()
        if how == "it takes long":
            while not (await stored(url)).events:
                await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert [event.author for event in (await stored(url)).events] == ["user"]


async def test_a_turn_does_not_write_into_a_session_that_somebody_has_changed_or_deleted(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/sessions.db"
    async with BatchedDatabaseSessions(url) as sessions, DatabaseSessionService(url) as other:
        await opened(sessions, create=True)
        async with sessions.turn():
            session = await opened(sessions)
            await sessions.append_event(session, said("user", "mine"))
            await other.append_event(await opened(other), said("user", "theirs"))
            with pytest.raises(StaleSessionError):
                await sessions.append_event(session, said("desk", "lost"))
        assert len((await stored(url)).events) == 1
        async with sessions.turn():
            session = await opened(sessions)
            await other.delete_session(**NAMES)
            with pytest.raises(SessionNotFoundError):
                await sessions.append_event(session, said("desk", "lost"))
        assert await other.get_session(**NAMES) is None


async def test_a_process_killed_before_any_write_leaves_a_beginning_of_the_turn_that_can_be_continued(
    use: Any, tmp_path: Path
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/sessions.db"
    with Emulator(brain=conversation) as api:
        use(api)
        async with BatchedDatabaseSessions(url) as sessions:
            await sessions.create_session(**NAMES)
            talk, lengths = Talk(build_app(), sessions), list[int]()
            for survived in range(4):  # transactions of a turn with a tool: one read of the row, one of events, writes
                before = len((await stored(url)).events)
                child = Fork("tests.serve.test_batched_database_sessions", url, str(survived))
                child.wait()
                lengths.append(len((await stored(url)).events) - before)
                async with sessions.turn():
                    events = [event async for event in talk.events("weather in Lisbon")]
                assert events[-1].content and events[-1].content.parts
                assert events[-1].content.parts[0].text == "WEATHER Lisbon"
        assert not refusals(api)
    assert lengths[0] == 0
    assert lengths == sorted(lengths)
    assert lengths[-1] > lengths[0]


async def _killed_turn(url: str, survived: int) -> None:
    """Runs a turn in this process, which is killed before its transaction number `survived`."""
    sessions, done = BatchedDatabaseSessions(url), 0
    run = sessions._transactions._connect

    def count(work: Any) -> Any:
        nonlocal done
        if done == survived + 2:  # the two reads
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1
        return run(work)

    sessions._transactions._connect = count  # type: ignore[method-assign]
    async with sessions.turn():
        _ = [event async for event in Talk(build_app(), sessions).events("weather in Lisbon")]


if __name__ == "__main__":
    asyncio.run(_killed_turn(sys.argv[1], int(sys.argv[2])))
