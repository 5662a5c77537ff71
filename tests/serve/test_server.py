"""The server enforces its limits, answers a message once, and runs one turn at a time in a conversation."""

from __future__ import annotations

import asyncio
import json
import math
import signal
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google.adk.errors._stale_session_error import StaleSessionError
from google.adk.events import Event
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from interactions_emulator import Emulator
from tests.kill.test_kill import researches, until
from tests.serve.conftest import Process, Serve, message, ready, said
from tools.adk.chain_plugin import without_rewound
from tools.research.database import Database
from tools.research.locks import Locked, Locks
from tools.research.timeouts import LOCK_LEASE_S
from tools.server.middleware.rate_limit import RateLimiter
from tools.settings import load_settings

SESSION = "/apps/desk/users/me/sessions/s1"


@pytest.fixture
def client(serve: Serve) -> httpx2.Client:
    client = serve()
    assert begin(client, "s1").status_code == 200
    return client


def begin(client: httpx2.Client, session: str) -> httpx2.Response:
    return client.post(f"/apps/desk/users/me/sessions/{session}", json={})


def turn(client: httpx2.Client, words: str, key: str = "", session: str = "s1") -> httpx2.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/run", json=message(words, session=session), headers=headers)


def told(client: httpx2.Client) -> list[str]:
    """What the user said in the conversation."""
    events = client.get(SESSION).json()["events"]
    return [event["content"]["parts"][0]["text"] for event in events if event["author"] == "user"]


def test_health_and_readiness_checks_answer_ok(client: httpx2.Client) -> None:
    assert client.get("/healthz").json() == client.get("/readyz").json() == {"status": "ok"}


def test_the_server_is_not_ready_without_its_database(serve: Serve) -> None:
    client = serve(sessions_url="memory://", database_url="postgresql+asyncpg://desk:SECRET@127.0.0.1:9/desk")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["ledger"]) == (503, "cannot be written")
    assert "SECRET" not in answer.text
    assert client.get("/healthz").status_code == 200


def test_a_message_sent_twice_is_answered_once(client: httpx2.Client, api: Emulator) -> None:
    first = turn(client, "Hello", key="m1")
    creates = api.log()["creates"]
    again = turn(client, "Hello", key="m1")
    assert said(again) == said(first) == "SMALL TALK"
    assert api.log()["creates"] == creates
    assert told(client) == ["Hello"]
    stream = client.post("/run_sse", json=message("Hello", streaming=True), headers={"Idempotency-Key": "m1"})
    assert json.loads(stream.text.removeprefix("data: "))["content"]["parts"][0]["text"] == "SMALL TALK"
    assert said(turn(client, "Hello", key="m2")) == "SMALL TALK"
    assert told(client) == ["Hello", "Hello"]


@pytest.mark.parametrize("broken_off", [False, True])
def test_an_idempotency_key_of_another_message_is_refused(
    client: httpx2.Client, api: Emulator, broken_off: bool
) -> None:
    if broken_off:
        api.faults({"on": "create", "status": 400})
    turn(client, "Hello", key="m1")
    creates = api.log()["creates"]
    answer = turn(client, "Something else", key="m1")
    assert (answer.status_code, "new key" in answer.json()["detail"]) == (422, True)
    assert (api.log()["creates"], told(client)) == (creates, ["Hello"])
    assert said(turn(client, "Hello", key="m1")) == "SMALL TALK"


def test_a_turn_that_overlaps_another_of_its_conversation_gets_409(client: httpx2.Client, api: Emulator) -> None:
    api.faults({"on": "create", "delay_ms": 500})
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: turn(client, f"Hello {number}"), range(4)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 200 and set(codes) <= {200, 409}
    assert len(told(client)) == codes.count(200)
    assert all(a.headers["retry-after"] == "1" for a in answers if a.status_code == 409)


@pytest.mark.parametrize("path", ["/run", "/run_sse"])
def test_a_conversation_is_unlocked_when_its_answer_is_complete(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    execute = Locks._execute

    async def slow(self: Locks, *arguments: object) -> bool:
        await asyncio.sleep(0.1)  # a database far away
        return await execute(self, *arguments)

    monkeypatch.setattr(Locks, "_execute", slow)
    codes = [client.post(path, json=message("Hello")).status_code for _ in range(3)]
    assert codes == [200, 200, 200]


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"stateDelta": {"x": 1}}), ("DELETE", None)])
def test_a_conversation_cannot_be_changed_or_deleted_during_its_turn(
    client: httpx2.Client, api: Emulator, method: str, body: dict[str, Any] | None
) -> None:
    api.faults({"on": "create", "delay_ms": 500})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(turn, client, "Hello")
        until(lambda: told(client) == ["Hello"])
        meanwhile = client.request(method, SESSION, json=body)
        assert said(answer.result()) == "SMALL TALK"
    assert (meanwhile.status_code, meanwhile.headers["retry-after"]) == (409, "1")
    assert client.request(method, SESSION, json=body).status_code == 200


async def test_a_session_locked_by_another_replica_is_refused_until_its_lease_expires(client: httpx2.Client) -> None:
    now = [1000.0]
    database = Database(load_settings().ledger_url)
    one, other = (Locks(database, clock=lambda: now[0]) for _ in range(2))
    async with one.hold("desk/ada/s1"):
        with pytest.raises(Locked):
            async with other.hold("desk/ada/s1"):
                pass
        async with other.hold("desk/ada/s2"):
            pass
    async with other.hold("desk/ada/s1"):  # the lease was released
        now[0] += LOCK_LEASE_S + 1  # the lease expires, as if its replica had died
        async with one.hold("desk/ada/s1"):
            pass
    await database.close()


async def test_a_turn_that_lost_its_lease_is_cancelled(client: httpx2.Client) -> None:
    database, woken = Database(load_settings().ledger_url), asyncio.Event()

    async def sleep(seconds: float) -> None:
        await woken.wait()

    async def hold() -> None:
        async with Locks(database, sleep=sleep).hold("desk/ada/s1"):
            await database.execute(text("UPDATE desk_turns SET owner = 'another'"), {})
            woken.set()
            await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(hold())
    assert [*map(tuple, await database.execute(text("SELECT owner FROM desk_turns"), {}))] == [("another",)]
    await database.close()


async def test_a_turn_cut_off_by_a_shutdown_leaves_its_conversation_unlocked(client: httpx2.Client) -> None:
    database, begun = Database(load_settings().ledger_url), asyncio.Event()
    turns = Locks(database)

    async def hold() -> None:
        async with turns.hold("desk/ada/s1"):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await begun.wait()
    task.cancel()  # as uvicorn does, which then closes the application without waiting
    await turns.close()
    assert not await turns.held("desk/ada/s1")
    await database.close()


AWAY = OperationalError("", {}, Exception())


@pytest.mark.parametrize(("error", "status"), [(StaleSessionError("stale"), 409), (AWAY, 503), (OSError(), 503)])
def test_a_failed_session_write_gets_retry_after_and_the_retry_succeeds(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail(*arguments: object, **values: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("tools.adk.sessions.batched_database_sessions.update_session", fail)
        answer = turn(client, "Hello", key="m1")
        assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (status, True)
    assert said(turn(client, "Hello", key="m1")) == "SMALL TALK"
    assert told(client) == ["Hello"]


def test_a_failed_turn_is_undone_and_repeated_under_the_same_key(client: httpx2.Client, api: Emulator) -> None:
    api.faults({"on": "create", "status": 400})  # the create fails after the message was stored
    turn(client, "Hello", key="m1")
    assert said(turn(client, "Hello", key="m1")) == "SMALL TALK"
    events = without_rewound([Event.model_validate(e) for e in client.get(SESSION).json()["events"]])
    assert [event.author for event in events] == ["user", "desk"]


def test_the_body_size_limit_holds_with_and_without_content_length(serve: Serve, api: Emulator) -> None:
    client = serve(max_body=2_000, webhook_secrets="whsec_AAAA")
    begin(client, "s1")
    assert turn(client, "x" * 3_000).status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 100

    for path in ("/run", SESSION, "/webhooks/research"):
        answer = client.post(path, content=pieces(), headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["detail"]) == (413, "a request may have at most 2000 bytes")
    assert api.log()["creates"] == 0
    assert turn(client, "Hello").status_code == 200


BODIES = {
    "nothing": "",
    "a list": "[]",
    "null": "null",
    "a text": '"text"',
    "half an object": "{",
    "two users": '{"userId": "a", "user_id": "b"}',
    "too deep": '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "no name of a session": json.dumps(message("Hello", session="\ud800")),
    "another one": json.dumps(message("Hello", session="s\0")),
    "metadata that are none": json.dumps(message("Hello", customMetadata="x")),
    "no number": json.dumps(message("Hello", stateDelta={"x": math.nan})),
    "a number without end": json.dumps(message("Hello", stateDelta={"x": 0})).replace('"x": 0', '"x": 1e999'),
    "bytes that are no text": '{"userId": "\udcff"}',
}


def test_a_body_that_is_not_a_turn_is_refused(client: httpx2.Client) -> None:
    headers = {"content-type": "application/json", "idempotency-key": "m1"}
    for name, body in BODIES.items():
        answer = client.post("/run", content=body.encode(errors="surrogateescape"), headers=headers)
        assert answer.status_code in (400, 422), name


def test_text_that_only_looks_like_an_escaped_nul_is_kept(client: httpx2.Client) -> None:
    words = r"Hello \u0000 and \\u0000"
    assert said(turn(client, words)) == "SMALL TALK"
    assert told(client) == [words]


@pytest.mark.parametrize("key", ["", "m1"])
def test_metadata_of_a_message_is_returned_with_the_events_of_its_turn(client: httpx2.Client, key: str) -> None:
    headers = {"Idempotency-Key": key} if key else {}
    events = client.post("/run", json=message("Hello", customMetadata={"from": "a test"}), headers=headers).json()
    assert [event["customMetadata"]["from"] for event in events] == ["a test"]


def test_an_artifact_name_that_leaves_its_folder_is_refused(client: httpx2.Client) -> None:
    assert client.get(f"{SESSION}/artifacts/..%2F..%2Fother").status_code == 400


def test_turns_over_the_limit_per_minute_get_429(serve: Serve, api: Emulator) -> None:
    client = serve(turns_per_minute=3)
    begin(client, "s1")
    codes = [turn(client, "Hello").status_code for _ in range(5)]
    assert codes == [200, 200, 200, 429, 429]
    assert 0 < int(turn(client, "Hello").headers["retry-after"]) <= 61


def test_the_rate_limiter_forgets_users_after_a_minute() -> None:
    now = [0.0]
    rates = RateLimiter(at_once=1, per_minute=2, clock=lambda: now[0])
    for number in range(1000):
        now[0] += 1
        with rates.limit(f"user {number}"), rates.limit("ada") if number % 30 == 0 else nullcontext():
            pass
    assert len(rates._minute._times) == 61


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [("/run", 400, "the database refuses a value"), ("/run_sse", 200, '"error_type": "IntegrityError"')],
)
def test_a_database_error_does_not_log_the_text_of_the_message(
    client: httpx2.Client, environment: Path, caplog: pytest.LogCaptureFixture, path: str, status: int, says: str
) -> None:
    with closing(sqlite3.connect(environment / "sessions.db")) as sessions:
        sessions.execute("create trigger full before insert on events begin select raise(abort, 'full'); end")
    answer = client.post(path, json=message("what nobody else may read"))
    assert "nobody else" not in answer.text + caplog.text
    assert (answer.status_code, says in answer.text) == (status, True)


def test_sigterm_releases_the_lease_and_the_next_server_resumes_the_run_at_once(
    process: Process, api: Emulator, environment: Path
) -> None:
    first, client = process()
    until(lambda: ready(client))
    begin(client, "s1")
    asking = threading.Thread(target=lambda: quietly(lambda: turn(client, "research the tides")))
    asking.start()
    until(lambda: len(researches(api)) == 1)
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) in (0, -signal.SIGTERM)
    asking.join()
    assert owners(environment) == [None]  # no other process has to wait for the lease
    _, client = process()
    until(lambda: ready(client))
    until(lambda: owners(environment) != [None])  # resumed without a request
    api.advance(3600)
    until(lambda: "# " in said(turn(client, "What is the status of my research?", session="s1")))
    assert len(researches(api)) == 1


def quietly(work: Any) -> None:
    with suppress(httpx2.HTTPError):
        work()


def owners(data: Path) -> list[str | None]:
    with closing(sqlite3.connect(data / "ledger.db")) as ledger:
        return [owner for (owner,) in ledger.execute("select owner from research_jobs")]
