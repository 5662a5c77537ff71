"""What a server keeps in memory does not grow with what clients have sent."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from google.adk.sessions import DatabaseSessionService

from tests.kill.test_kill import until
from tests.serve.conftest import Serve, message, said
from tools.load_control import memory_release
from tools.server.limits import MAX_STATE_BYTES

SESSIONS = "/apps/desk/users/me/sessions"


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def client(request: pytest.FixtureRequest, serve: Serve) -> httpx2.Client:
    if request.param == "memory":
        return serve(sessions_url="memory://")
    is_postgresql = request.param == "postgresql"
    return serve(database_url=request.getfixturevalue("postgres").create_database() if is_postgresql else "")


def test_the_list_of_conversations_has_their_ids_and_times_and_no_state(client: httpx2.Client) -> None:
    for session in ("s1", "s2"):
        client.post(f"{SESSIONS}/{session}", json={"text": "long", "user:name": "Ada"})
    client.post("/apps/desk/users/bob/sessions/s3", json={})
    client.patch(f"{SESSIONS}/s1", json={"stateDelta": {"seen": 1}})
    listed, single = client.get(SESSIONS).json(), client.get(f"{SESSIONS}/s1").json()
    assert [(each["id"], each["state"], each["events"]) for each in listed] == [("s2", {}, []), ("s1", {}, [])]
    assert listed[1]["lastUpdateTime"] == single["lastUpdateTime"]
    assert single["state"] == {"text": "long", "user:name": "Ada", "seen": 1}


def test_a_change_of_state_is_answered_without_the_older_events(client: httpx2.Client) -> None:
    client.post(f"{SESSIONS}/s1", json={"a": 1})
    assert said(client.post("/run", json=message("Hello"))) == "SMALL TALK"
    answer = client.patch(f"{SESSIONS}/s1", json={"stateDelta": {"b": 2}}).json()
    assert answer["state"] == {"a": 1, "b": 2}
    assert [event["actions"]["stateDelta"] for event in answer["events"]] == [{"b": 2}]
    events = client.get(f"{SESSIONS}/s1").json()["events"]
    assert len(events) == 3
    assert events[-1]["id"] == answer["events"][0]["id"]
    assert said(client.post("/run", json=message("Hello"))) == "SMALL TALK"


def test_a_message_with_a_new_key_reads_no_older_events_and_a_repeated_one_is_answered_from_them(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    client.post(f"{SESSIONS}/s1", json={})
    in_memory = request.node.callspec.params["client"] == "memory"
    reads, read = list[int](), DatabaseSessionService.get_session

    async def counted(*arguments: Any, **named: Any) -> Any:
        reads.append(1)
        return await read(*arguments, **named)

    monkeypatch.setattr(DatabaseSessionService, "get_session", counted)
    answers = dict[str, Any]()
    for key, expected in (("k1", 0), ('"%_\\', 0), ("k1", 1), ('"%_\\', 2), ("k", 2), ("%", 2)):
        answer = client.post("/run", json=message("Hello"), headers={"Idempotency-Key": key})
        assert said(answer) == "SMALL TALK"
        assert answers.setdefault(key, answer.json()) == answer.json()
        assert len(reads) == (0 if in_memory else expected)
    assert len(client.get(f"{SESSIONS}/s1").json()["events"]) == 2 * len(answers)


def test_state_that_each_turn_would_read_has_a_limit(client: httpx2.Client) -> None:
    half = "x" * (MAX_STATE_BYTES // 2 + 1)
    assert client.post(f"{SESSIONS}/s1", json={"user:a": half}).status_code == 200
    for refused in (
        client.post(f"{SESSIONS}/s2", json={"a": half + half}),
        client.post(f"{SESSIONS}/s2", json={"user:b": half}),
        client.post(f"{SESSIONS}/s2", json={"b": half}),
        client.patch(f"{SESSIONS}/s1", json={"stateDelta": {"b": half}}),
    ):
        assert (refused.status_code, f"at most {MAX_STATE_BYTES:,} bytes" in refused.json()["detail"]) == (400, True)
    assert client.patch(f"{SESSIONS}/s1", json={"stateDelta": {"user:a": "", "b": half}}).status_code == 200
    assert client.get(f"{SESSIONS}/s1").json()["state"] == {"user:a": "", "b": half}
    assert [each["id"] for each in client.get(SESSIONS).json()] == ["s1"]


def test_memory_is_released_after_a_large_body_a_large_answer_and_a_turn_of_a_large_conversation(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = list[int]()
    monkeypatch.setattr(memory_release, "RELEASE_DELAY_S", 0)
    monkeypatch.setattr(memory_release, "release_memory", lambda: released.append(1))
    client = serve()

    def turn(text: str, session: str) -> httpx2.Response:
        return client.post("/run", json=message(text, session=session))

    for session in ("s1", "s2"):
        client.post(f"{SESSIONS}/{session}", json={})
    assert said(turn("Hello", "s2")) == "SMALL TALK"
    assert not released
    large: tuple[Callable[[], httpx2.Response], ...] = (
        lambda: turn("x" * memory_release.LARGE_BYTES, "s1"),
        lambda: client.get(f"{SESSIONS}/s1"),
        lambda: turn("Hello", "s1"),
    )
    for request in large:
        assert request().status_code == 200
        until(lambda: bool(released))
        released.clear()


def test_releasing_memory_collects_cycles_and_asks_the_c_library_to_give_pages_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Node:
        def __init__(self) -> None:
            self.itself, self.data = self, b"x" * memory_release.LARGE_BYTES

    calls = list[int]()
    monkeypatch.setattr(memory_release, "_trim", lambda: calls.append)
    gone = weakref.ref(Node())
    memory_release.release_memory()
    assert gone() is None
    assert calls == [0]
