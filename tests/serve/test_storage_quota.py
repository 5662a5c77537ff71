"""The bytes that a user stores have one limit: conversations, files, and tasks of other agents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from a2a.helpers import new_text_artifact
from a2a.server.context import ServerCallContext
from a2a.types import Task, TaskPushNotificationConfig
from google.adk.artifacts import InMemoryArtifactService
from google.adk.artifacts.file_artifact_service import FileArtifactService
from google.adk.events import Event
from google.genai import types
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from interactions_emulator import Emulator
from tests.ledger.server import Server
from tests.serve.conftest import Serve, message, said
from tests.serve.test_a2a import METHODS, Robot
from tests.serve.test_a2a import message as a2a_message
from tools.research.database import Database
from tools.research.locks import Locks
from tools.server.a2a_tasks import Pushes, Tasks
from tools.server.artifacts import FILE_BYTES
from tools.server.middleware.rate_limit import RateLimited
from tools.server.sessions import CheckedDatabaseSessions, CheckedInMemorySessions
from tools.server.storage_quota import COST_FACTOR, StorageQuota, storage_quota
from tools.server.timeouts import REFUSAL_TTL_S, STORED_BYTES_TTL_S
from tools.settings import load_settings

SESSIONS = "/apps/desk/users/me/sessions"
LONG = "x" * 600_000


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts at each request."""
    for name in ("STORED_BYTES_TTL_S", "REFUSAL_TTL_S", "COST_FACTOR"):
        monkeypatch.setattr(f"tools.server.storage_quota.{name}", 0)


def a_conversation(client: httpx2.Client) -> httpx2.Response:
    return client.post(SESSIONS, json={"state": {"text": LONG}})


def a_history(client: httpx2.Client) -> httpx2.Response:
    return client.post(SESSIONS, json={"events": [{"author": "user", "content": {"parts": [{"text": LONG}]}}]})


def state(client: httpx2.Client) -> httpx2.Response:
    return client.patch(f"{SESSIONS}/s1", json={"stateDelta": {"text": LONG}})


def a_turn(client: httpx2.Client) -> httpx2.Response:
    return client.post("/run", json=message(LONG))


def a_file(client: httpx2.Client) -> httpx2.Response:
    return client.post(f"{SESSIONS}/s1/artifacts", json={"filename": "a", "artifact": {"text": LONG}})


def a_task(client: httpx2.Client) -> httpx2.Response:
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": a2a_message(LONG, "1.0")}
    return client.post("/a2a/desk", json=body, headers={"a2a-version": "1.0"})


def an_older_task(client: httpx2.Client) -> httpx2.Response:
    params = a2a_message(LONG, "0.3")
    return client.post("/a2a/desk", json={"jsonrpc": "2.0", "id": 1, "method": METHODS["0.3"][0], "params": params})


def delete_conversations(client: httpx2.Client) -> None:
    for session in client.get(SESSIONS).json():
        assert client.delete(f"{SESSIONS}/{session['id']}").status_code == 200


WAYS = (a_conversation, a_history, state, a_turn, a_file, a_task, an_older_task)


def reads(client: httpx2.Client) -> list[Any]:
    """All that the server shows of what a user stores."""
    tasks = {"jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": {}}
    paths = (SESSIONS, f"{SESSIONS}/s1", f"{SESSIONS}/s1/artifacts")
    shown = client.post("/a2a/desk", json=tasks, headers={"a2a-version": "1.0"})
    return [*(client.get(path).json() for path in paths), shown.json()]


@pytest.mark.parametrize("place", ["", "memory://"])
def test_whatever_a_user_stores_over_the_limit_is_refused_with_the_next_step_and_nothing_of_it_is_stored(
    exact: None, serve: Serve, api: Emulator, place: str
) -> None:
    client = serve(a2a=True, megabytes_per_user=1, sessions_url=place, artifacts_url=place)
    for way in WAYS:
        assert client.post(f"{SESSIONS}/s1", json={}).status_code == 200, way
        assert "error" not in way(client).json(), way
        before, asked = reads(client), len(api.interactions())
        for other in WAYS:
            answer = other(client)
            assert (answer.status_code, "retry-after" in answer.headers) == (429, False), (way, other)
            assert "delete conversations (DELETE /apps/desk/users/me/sessions/ID" in answer.json()["detail"]
        assert (reads(client), len(api.interactions())) == (before, asked), way
        other_user = f"/apps/desk/users/{way.__name__}/sessions"
        assert client.post(other_user, json={"state": {"text": LONG}}).status_code == 200, way
        delete_conversations(client)
        assert a_conversation(client).status_code == 200, way
        delete_conversations(client)


@pytest.mark.parametrize("place", ["", "memory://"])
def test_a_conversation_that_is_full_takes_no_more_large_messages_and_can_be_forgotten(
    exact: None, serve: Serve, place: str
) -> None:
    client = serve(a2a=True, max_body=100_000, sessions_url=place)
    long, key = "Hello" + " " * 80_000, {"Idempotency-Key": "k1"}
    assert client.post(f"{SESSIONS}/s1", json={}).status_code == 200
    assert client.post("/run", json=message(long), headers=key).status_code == 200
    assert client.post("/run", json=message(long)).status_code == 200
    refused = client.post("/run", json=message(long))
    assert (refused.status_code, "begin another one" in refused.json()["detail"]) == (429, True)
    params = a2a_message(long, "1.0")
    params["message"] |= {"contextId": "s1", "messageId": "m1"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
    agent = client.post("/a2a/desk", json=body, headers={"a2a-version": "1.0"})
    assert "TASK_STATE_REJECTED" in agent.text
    assert len(client.get(f"{SESSIONS}/s1").json()["events"]) == 4
    assert said(client.post("/run", json=message(long), headers=key)) == "SMALL TALK"  # answered before
    assert client.post("/run", json=message("Hello")).status_code == 200
    assert client.post(f"{SESSIONS}/s2", json={}).status_code == 200
    assert client.post("/run", json=message(long) | {"sessionId": "s2"}).status_code == 200


def test_an_answer_that_is_over_the_limit_is_stored_and_can_be_repeated(
    exact: None, serve: Serve, api: Emulator
) -> None:
    client, key = serve(megabytes_per_user=1), {"Idempotency-Key": "k1"}
    body = message("Hello" + " " * 998_500)
    assert client.post(f"{SESSIONS}/s1", json={}).status_code == 200
    assert said(client.post("/run", json=body, headers=key)) == "SMALL TALK"
    events = client.get(f"{SESSIONS}/s1").json()["events"]
    assert len(events) == 2
    assert client.post("/run", json=message("Hello")).status_code == 429
    assert said(client.post("/run", json=body, headers=key)) == "SMALL TALK"
    assert client.get(f"{SESSIONS}/s1").json()["events"] == events


async def test_deleting_a_conversation_deletes_its_files_and_tasks(serve: Serve, tmp_path: Path) -> None:
    client = serve(a2a=True, artifacts_url=(tmp_path / "files").as_uri())
    for session in ("c1", "c2"):
        params = a2a_message("Hello", "1.0")
        params["message"] |= {"contextId": session, "messageId": session}
        body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
        assert "error" not in client.post("/a2a/desk", json=body, headers={"a2a-version": "1.0"}).json()
        for name in ("a", "user:b"):
            file = {"filename": name, "artifact": {"text": session}}
            assert client.post(f"{SESSIONS}/{session}/artifacts", json=file).status_code == 200
    assert client.delete(f"{SESSIONS}/c1").status_code == 200
    assert client.get(f"{SESSIONS}/c1/artifacts").json() == ["user:b"]
    assert client.get(f"{SESSIONS}/c2/artifacts").json() == ["a", "user:b"]
    database = Database(load_settings().ledger_url)
    assert [*await database.execute(text("SELECT context_id FROM desk_tasks"), {})] == [("c2",)]
    await database.close()


def test_a_conversation_whose_name_no_file_can_have_can_be_deleted(serve: Serve) -> None:
    client = serve()
    assert client.post(SESSIONS, json={"sessionId": "a:b"}).status_code == 200
    assert client.delete(f"{SESSIONS}/a:b").status_code == 200
    assert client.get(SESSIONS).json() == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_events_state_and_rows_of_one_user_are_counted(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: Server | None = request.getfixturevalue("postgres") if kind == "postgresql" else None
    url = server.create_database() if server else f"sqlite+aiosqlite:///{tmp_path}/sessions.db"
    async with CheckedDatabaseSessions(url) as sessions:
        assert await sessions.stored_bytes("desk", "ada") == 0
        state = {"text": "x" * 100_000}  # a database compresses it
        await sessions.create_session(app_name="desk", user_id="ada", session_id="s1", state=state)
        once = await sessions.stored_bytes("desk", "ada")
        assert 100_000 < once < 200_000
        await sessions.create_session(app_name="desk", user_id="ada", session_id="s2", state=state)
        assert 1.9 * once < await sessions.stored_bytes("desk", "ada") < 2.1 * once
        assert await sessions.stored_bytes("desk", "bob") == 0
        one = await sessions.get_session(app_name="desk", user_id="ada", session_id="s1")
        assert one
        await sessions.append_event(one, Event(author="user", content=types.UserContent("x" * 100_000)))
        assert 100_000 < await sessions.conversation_bytes("desk", "ada", "s1") < 110_000
        assert await sessions.conversation_bytes("desk", "ada", "s2") == 0


async def test_a_count_is_used_for_a_while_and_what_is_sent_meanwhile_is_added_to_it() -> None:
    now, counts, stored, took_s = [0.0], list[str](), {"ada": 10, "bob": 0}, [0.0]

    async def count(user: str) -> int:
        counts.append(user)
        now[0] += took_s[0]
        return stored[user]

    limit = StorageQuota(100, [count], clock=lambda: now[0])
    for size in (40, 40, 10):
        await limit.admit("ada", size)
    await limit.admit("bob", 100)
    assert counts == ["ada", "bob"]
    with pytest.raises(RateLimited):
        await limit.admit("ada", 1)
    now[0] += REFUSAL_TTL_S
    await limit.admit("ada", 1)  # what was sent has not been stored
    now[0] += STORED_BYTES_TTL_S
    took_s[0] = STORED_BYTES_TTL_S
    await limit.admit("ada", 1)
    assert counts == ["ada", "bob", "ada", "ada"]
    now[0] += (COST_FACTOR - 1) * STORED_BYTES_TTL_S
    await limit.admit("ada", 1)
    assert len(counts) == 4


async def test_while_a_store_cannot_be_counted_the_count_before_and_what_was_sent_since_stand(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers, now = [30], [0.0]

    async def bucket(user: str) -> int:
        if not answers:
            raise OSError("the bucket does not answer")
        return answers.pop()

    async def database(user: str) -> int:
        return 40

    limit = StorageQuota(100, [bucket, database], lambda: now[0])
    await limit.admit("ada", 20)
    now[0] += STORED_BYTES_TTL_S
    await limit.admit("ada", 10)
    assert "what a user stores could not be counted: OSError('the bucket does not answer')" in caplog.text
    with pytest.raises(RateLimited):
        await limit.admit("ada", 1)
    await limit.admit("bob", 60)
    with pytest.raises(RateLimited):
        await limit.admit("bob", 1)


async def test_a_file_that_cannot_be_read_hides_no_other_file_from_the_count(tmp_path: Path) -> None:
    artifacts = FileArtifactService(tmp_path)
    limit = storage_quota(1, CheckedInMemorySessions(), artifacts, Database(f"sqlite+aiosqlite:///{tmp_path}/l.db"))
    folder = artifacts._base_root("desk", "ada")
    folder.mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path / "nowhere")
    (folder / "file").write_bytes(bytes(10_000))
    assert await limit.counts[1]("ada") == FILE_BYTES + 10_000


@pytest.mark.parametrize("kind", ["folder", "memory"])
async def test_very_small_files_and_folders_count_with_a_minimum(tmp_path: Path, kind: str) -> None:
    artifacts = FileArtifactService(tmp_path) if kind == "folder" else InMemoryArtifactService()
    limit = storage_quota(1, CheckedInMemorySessions(), artifacts, Database(f"sqlite+aiosqlite:///{tmp_path}/l.db"))
    for number in range(10):
        part = types.Part(text="x")
        await artifacts.save_artifact(
            app_name="desk", user_id="ada", session_id="s1", filename=f"{number}", artifact=part
        )
    assert await limit.counts[1]("ada") >= 10 * 4_096


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_tasks_of_other_agents_and_their_receivers_are_counted(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: Server | None = request.getfixturevalue("postgres") if kind == "postgresql" else None
    database = Database(server.create_database() if server else f"sqlite+aiosqlite:///{tmp_path}/ledger.db")
    limit = storage_quota(1, CheckedInMemorySessions(), InMemoryArtifactService(), database)

    async def stored(user: str = Robot.user_name) -> int:
        return sum([await count(user) for count in limit.counts])

    robot, long = ServerCallContext(user=Robot()), "".join(map(str, range(20_000)))  # PostgreSQL compresses it
    none = await stored()
    task = Task(id="t1", context_id="c1", artifacts=[new_text_artifact("a", long)])
    await Tasks(database, Locks(database)).save(task, robot)
    with_task = await stored()
    assert none + 20_000 < with_task < none + 200_000
    await Pushes(database).set_info("t1", TaskPushNotificationConfig(id="p1", url=f"https://e.org/{long}"), robot)
    assert with_task + 20_000 < await stored() < with_task + 200_000
    assert await stored("bob") == none
    await database.close()


async def test_a_task_that_is_deleted_while_it_is_written_is_stored(tmp_path: Path) -> None:
    database, robot = Database(f"sqlite+aiosqlite:///{tmp_path}/ledger.db"), ServerCallContext(user=Robot())
    tasks, deleted = Tasks(database, Locks(database)), list[bool]()
    task = Task(id="t1", context_id="c1")
    await tasks.save(task, robot)

    def delete(session: Session, *_: object) -> None:
        if not deleted:
            deleted.append(True)
            session.execute(text("DELETE FROM desk_tasks"))

    task.artifacts.append(new_text_artifact("a", "b"))
    event.listen(Session, "before_flush", delete)
    try:
        await tasks.save(task, robot)
    finally:
        event.remove(Session, "before_flush", delete)
    stored = await tasks.get("t1", robot)
    assert (deleted, stored) == ([True], task)
    await database.close()
