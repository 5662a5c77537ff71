"""Limits of what a client can take up: conversations, connections, lengths of names and depth of JSON."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from interactions_emulator import Emulator
from tests.kill.test_kill import until
from tests.overlaps import Overlaps
from tests.serve.conftest import AUDIENCE, Issuer, Serve, message, raw, said
from tools.board.limits import PIECE_BYTES
from tools.board.piecewise_sending import PiecewiseSending
from tools.interactions.run_webhook import WEBHOOK_PATH
from tools.load_control.memory_release import LARGE_BYTES
from tools.load_control.user_queues import UserQueues
from tools.research.database import Database
from tools.server.error_handlers import RequestRejected
from tools.server.limits import (
    MAX_A2A_VALUES,
    MAX_AGENT_BYTES,
    MAX_JSON_VALUES,
    MAX_LARGE_READS,
    MAX_READS,
    MAX_RESTORED_VALUES,
    SMALL_BODY_BYTES,
)
from tools.server.middleware import sse_keepalive
from tools.server.middleware.request_json import check_values
from tools.server.paths import A2A_PATH, CARD_PATH
from tools.server.sessions import CheckedDatabaseSessions

SESSIONS = "/apps/desk/users/me/sessions"


@pytest.fixture
def client(serve: Serve) -> httpx2.Client:
    client = serve()
    assert client.post(f"{SESSIONS}/s1", json={}).status_code == 200
    return client


@pytest.mark.parametrize("name", ["a/b", "/", "..", ".", "../s1"])
def test_a_conversation_whose_address_would_be_another_one_is_refused(serve: Serve, name: str) -> None:
    client = serve(a2a=True)
    assert client.post(SESSIONS, json={"sessionId": name}).status_code == 400
    params = {"message": {"messageId": "m1", "contextId": name, "role": "ROLE_USER", "parts": [{"text": "Hello"}]}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
    assert "TASK_STATE_FAILED" in client.post(A2A_PATH, json=body, headers={"a2a-version": "1.0"}).text
    assert client.get(SESSIONS).json() == []


@pytest.mark.parametrize("place", ["", "memory://"])
def test_conversations_over_the_limit_per_user_are_refused_with_the_next_step(serve: Serve, place: str) -> None:
    client = serve(sessions_per_user=2, sessions_url=place)
    for session in ("s1", "s2"):
        assert client.post(f"{SESSIONS}/{session}", json={}).status_code == 200
    for path in (SESSIONS, f"{SESSIONS}/s3"):
        answer = client.post(path, json={})
        assert (answer.status_code, "DELETE /apps/desk" in answer.json()["detail"]) == (429, True)
        assert "retry-after" not in answer.headers
    assert client.post("/apps/desk/users/ada/sessions", json={}).status_code == 200
    assert client.delete(f"{SESSIONS}/s1").status_code == 200
    assert client.post(f"{SESSIONS}/s3", json={}).status_code == 200


@contextmanager
def begun(client: httpx2.Client, path: str, size: int, token: str = "") -> Iterator[socket.socket]:
    """Sends the head of a request, and asks whether its body is wanted: 100 is answered when something reads it."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\nExpect: 100-continue\r\n"
    head += f"Authorization: Bearer {token}\r\n" if token else ""
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=300) as connection:
        connection.sendall(f"{head}\r\n".encode())
        yield connection


def test_a_body_that_does_not_arrive_in_time_gets_408(serve: Serve) -> None:
    client = serve(request_seconds=0.1)
    head = b"POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    answer = raw(client, head + b'{"userId"')
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within 0.1 seconds" in answer


def test_a_user_of_other_agents_has_a_few_answers_in_memory(
    serve: Serve, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(mcp=True, a2a=True, oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    headers, call = {"Authorization": f"Bearer {issuer.token('ada')}"}, Starlette.__call__
    for path, method, at_once in (
        ("/mcp", "unknown", 4),
        (A2A_PATH, "GetTask", 8),
        (A2A_PATH, "CancelTask", 2),
        (A2A_PATH, "tasks/cancel", 2),
    ):
        too_long = client.post(path, content=b"x" * (MAX_AGENT_BYTES + 1), headers=headers)
        assert (too_long.status_code, f"at most {MAX_AGENT_BYTES} bytes" in too_long.text) == (413, True), path
        overlaps = Overlaps(500)
        monkeypatch.setattr(Starlette, "__call__", overlaps.counted(call))
        request = partial(client.post, path, json={"jsonrpc": "2.0", "id": 1, "method": method}, headers=headers)
        with ThreadPoolExecutor(3 * at_once) as threads:
            asked = [threads.submit(request) for _ in range(3 * at_once)]
        assert not {each.result().status_code for each in asked} & {429, 500, 503}, method
        assert len(overlaps.running) == 3 * at_once, method
        assert max(overlaps.running) <= at_once, method


def test_a_short_answer_waits_for_no_long_one(serve: Serve, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve(mcp=True, a2a=True, oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    headers = {"Authorization": f"Bearer {issuer.token('ada')}"}
    begun, go_on, call = list[int](), threading.Event(), Starlette.__call__

    async def slow(*arguments: Any) -> None:
        begun.append(1)
        if len(begun) <= 12:
            await asyncio.to_thread(go_on.wait, 60)
        await call(*arguments)

    monkeypatch.setattr(Starlette, "__call__", slow)

    def ask(path: str, method: str) -> int:
        return client.post(path, json={"jsonrpc": "2.0", "id": 1, "method": method}, headers=headers).status_code

    with ThreadPoolExecutor(20) as threads:
        asked = [(path, "unknown") for path, count in (("/mcp", 6), (A2A_PATH, 10)) for _ in range(count)]
        waiting = [threads.submit(ask, *each) for each in asked]
        until(lambda: len(begun) == 12)  # four and eight: the others wait
        try:
            short = (("/mcp", "ping"), ("/mcp", "tools/call"), (A2A_PATH, "CancelTask"), (A2A_PATH, "tasks/cancel"))
            assert not {ask(*each) for each in short} & {408, 429, 503}
            assert not any(each.done() for each in waiting)
        finally:
            go_on.set()
        assert not {each.result() for each in waiting} & {429, 503}


@pytest.mark.parametrize("path", ["/mcp", SESSIONS])
def test_no_more_requests_of_a_user_wait_than_the_limit_allows(
    serve: Serve, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("tools.server.middleware.gateway.MAX_REQUESTS", 1)
    client = serve(mcp=True, oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nAuthorization: Bearer {{}}\r\n\r\nx"
    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as unfinished:
        unfinished.sendall(head.format(issuer.token("ada")).encode())

        def status(name: str) -> int:
            headers = {"Authorization": f"Bearer {issuer.token(name)}"}
            return client.get(path, headers=headers).status_code

        until(lambda: status("ada") == 429)
        assert status("bob") != 429
    until(lambda: status("ada") != 429)


def test_nothing_of_a_body_is_read_before_the_user_is_known(serve: Serve, issuer: Issuer) -> None:
    client = serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    for path in ("/healthz", "/readyz", CARD_PATH, "/research/shared/x", "/research/static/x"):
        with begun(client, path, 1_000) as connection:
            assert connection.recv(12) in (b"HTTP/1.1 401", b"HTTP/1.1 404", b"HTTP/1.1 405"), path


def test_requests_that_are_too_large_together_are_refused_and_take_no_memory_from_other_users(
    serve: Serve, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.server.middleware.request_bodies.SMALL_BODY_BYTES", 5_000)
    client = serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE, max_body=20_000, request_seconds=3_000)

    def status(user: str, size: int = 8_000) -> int:
        headers = {"Authorization": f"Bearer {issuer.token(user)}"}
        answer = client.request("GET", SESSIONS, json="x" * size, headers=headers)
        assert answer.headers.get("retry-after") == ("1" if answer.status_code in (429, 503) else None)
        return answer.status_code

    with ExitStack() as connections:
        for user in ("ada", "bob"):
            assert status(user) == 200
            connection = connections.enter_context(begun(client, "/run", 20_000, issuer.token(user)))
            assert connection.recv(100).startswith(b"HTTP/1.1 100")
            connection.sendall(b"x" * 19_000)
            client.get("/healthz")  # answered after these bytes have been read
            assert status(user) == 429
        assert (status("joe"), status("joe", 3_000)) == (503, 200)
    until(lambda: status("ada") == status("joe") == 200)


def test_strangers_with_unfinished_messages_keep_no_message_from_the_webhook(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.server.middleware.gateway.WEBHOOK_TIMEOUT_S", 3_000)
    client, size = serve(request_seconds=3_000, webhook_secrets="whsec_c2VjcmV0"), 10_000
    with ExitStack() as connections:
        for _ in range(1_000):
            connection = connections.enter_context(begun(client, WEBHOOK_PATH, size))
            assert connection.recv(100).startswith(b"HTTP/1.1 100")
            connection.sendall(b"x" * (size - 1))
        client.get("/healthz")  # answered after these bytes have been read
        assert client.post(WEBHOOK_PATH, content=b"x" * size).status_code == 401  # it was read, and has no signature


def test_two_users_who_do_not_finish_their_large_bodies_are_cut_off_once_another_user_needs_the_memory(
    serve: Serve, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.server.uvicorn_server.CLOSE_GRACE_S", 0.1)
    monkeypatch.setattr("tools.server.middleware.request_bodies.SMALL_BODY_BYTES", 5_000)
    monkeypatch.setattr("tools.server.middleware.request_bodies.FULL_TIMEOUT_S", 0.1)
    client = serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE, max_body=20_000, request_seconds=3_000)
    headers = {"Authorization": f"Bearer {issuer.token('joe')}"}
    with ExitStack() as connections:
        slow = [connections.enter_context(begun(client, "/run", 20_000, issuer.token(user))) for user in ("ada", "bob")]
        for connection in slow:
            assert connection.recv(100).startswith(b"HTTP/1.1 100")
            connection.sendall(b"x" * 19_000)
        client.get("/healthz")  # answered after these bytes have been read
        assert client.request("GET", SESSIONS, json="x" * 8_000, headers=headers).status_code == 503
        assert [connection.recv(12) for connection in slow] == [b"HTTP/1.1 408"] * 2
        assert client.request("GET", SESSIONS, json="x" * 8_000, headers=headers).status_code == 200


def test_a_turn_may_take_longer_than_the_time_limit_of_its_request(
    serve: Serve, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.server.uvicorn_server.CLOSE_GRACE_S", 0.1)
    client = serve(request_seconds=0.1)
    client.post(f"{SESSIONS}/s1", json={})
    api.faults({"on": "create", "delay_ms": 1000})
    assert said(client.post("/run", json=message("Hello"))) == "SMALL TALK"


LONG, CUT = "x" * 300, "a\ud800"
REQUESTS: dict[str, tuple[str, str, Any]] = {
    "a file with too long a name": ("GET", f"{SESSIONS}/s1/artifacts/{LONG}", None),
    "a folder with too long a name": ("GET", f"{SESSIONS}/s1/artifacts/{LONG}/x", None),
    "its versions": ("GET", f"{SESSIONS}/s1/artifacts/{LONG}/versions", None),
    "a file to save": ("POST", f"{SESSIONS}/s1/artifacts", {"filename": LONG, "artifact": {"text": "x"}}),
    "a file with NUL": ("GET", f"{SESSIONS}/s1/artifacts/a%00b", None),
    "a file to save with NUL": ("POST", f"{SESSIONS}/s1/artifacts", {"filename": "a\0", "artifact": {"text": "x"}}),
    "a file with half a character": ("POST", f"{SESSIONS}/s1/artifacts", {"filename": CUT, "artifact": {"text": ""}}),
    "a session with too long a name": ("POST", SESSIONS, {"sessionId": LONG}),
    "a session with too long a name in its path": ("POST", f"{SESSIONS}/{LONG}", {}),
    "a session with half a character": ("POST", SESSIONS, {"sessionId": CUT}),
    "a session with NUL": ("POST", f"{SESSIONS}/a%00b", {}),
    "a user with NUL": ("GET", "/apps/desk/users/a%00b/sessions", None),
    "a user with too long a name": ("POST", f"/apps/desk/users/{LONG}/sessions", {}),
    "state too deep": ("POST", SESSIONS, {"state": {"x": "DEEP"}}),
    "a change too deep": ("PATCH", f"{SESSIONS}/s1", {"stateDelta": {"x": "DEEP"}}),
    "a turn too deep": ("POST", "/run", message("Hello", stateDelta={"x": "DEEP"})),
    "a turn much too deep": ("POST", "/run", message("Hello", stateDelta={"x": "DEEPER"})),
    "no JSON": ("POST", SESSIONS, "half an object"),
}


def test_invalid_requests_get_400_with_an_explanation(client: httpx2.Client, environment: Path) -> None:
    for wish, (method, path, body) in REQUESTS.items():
        text = json.dumps(body).replace('"half an object"', "{") if body is not None else ""
        for word, levels in (("DEEP", 500), ("DEEPER", 100_000)):
            text = text.replace(f'"{word}"', "[" * levels + "]" * levels)
        answer = client.request(method, path, content=text, headers={"content-type": "application/json"})
        assert answer.status_code == 400, (wish, answer.text)
        assert str(environment) not in answer.text, wish
        assert len(answer.json()["detail"]) > 10, wish


@pytest.mark.parametrize("path", [SESSIONS, f"{SESSIONS}/s1"])
def test_a_user_who_asks_for_conversations_many_times_at_once_has_a_few_of_them_in_memory(
    serve: Serve, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    client = serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    headers = {"Authorization": f"Bearer {issuer.token('ada')}"}
    assert client.post(f"{SESSIONS}/s1", json={}, headers=headers).status_code == 200
    overlaps = Overlaps(500)
    for name in ("list_sessions", "get_session"):
        monkeypatch.setattr(CheckedDatabaseSessions, name, overlaps.counted(getattr(CheckedDatabaseSessions, name)))
    with ThreadPoolExecutor(3 * MAX_READS) as threads:
        got = threads.map(lambda path: client.get(path, headers=headers).status_code, [path] * 3 * MAX_READS)
        assert {*got} == {200}
    assert len(overlaps.running) == 3 * MAX_READS
    assert max(overlaps.running) <= MAX_READS


def test_a_user_has_one_large_conversation_in_memory_and_all_users_two(
    serve: Serve, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    of = {name: {"Authorization": f"Bearer {issuer.token(name)}"} for name in ("ada", "bob", "eve", "joe")}
    events = [{"author": "user", "content": {"parts": [{"text": "x" * LARGE_BYTES}]}}]
    for headers in of.values():
        for body in ({"sessionId": "large", "events": events}, {"sessionId": "small"}):
            assert client.post(SESSIONS, json=body, headers=headers).status_code == 200
    overlaps, read = Overlaps(500), CheckedDatabaseSessions.get_session
    monkeypatch.setattr(CheckedDatabaseSessions, "get_session", overlaps.counted(read))
    with ThreadPoolExecutor(8) as threads:
        got = threads.map(lambda name: client.get(f"{SESSIONS}/large", headers=of[name]).status_code, [*of] * 2)
        assert {*got} == {200}
    assert (len(overlaps.running), max(overlaps.running)) == (8, MAX_LARGE_READS)
    overlaps.running.clear()
    with ThreadPoolExecutor(3) as threads:
        got = threads.map(lambda _: client.get(f"{SESSIONS}/large", headers=of["ada"]).status_code, range(3))
        assert {*got} == {200}
    assert max(overlaps.running) == 1


def test_a_slow_reader_of_a_large_conversation_keeps_no_place(
    serve: Serve, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.server.app.PiecewiseSending", partial(PiecewiseSending, max_wait_s=3_600))
    client = serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    events = [{"author": "user", "content": {"parts": [{"text": "x" * 20 * LARGE_BYTES}]}}]
    with ExitStack() as readers:
        for name in ("ada", "bob", "eve"):
            headers = {"Authorization": f"Bearer {issuer.token(name)}"}
            made = client.post(SESSIONS, json={"sessionId": "s1", "events": events}, headers=headers)
            assert made.status_code == 200
            head = f"GET {SESSIONS}/s1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {headers['Authorization']}\r\n\r\n"
            reader = socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=300)
            readers.enter_context(reader).sendall(head.encode())
            assert reader.recv(12) == b"HTTP/1.1 200"


def test_a_large_conversation_is_sent_in_pieces_so_that_a_client_that_does_not_read_fills_no_memory(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, send = list[int](), sse_keepalive._Answer.send

    async def seen(answer: Any, message: Any) -> None:
        sizes.append(len(message.get("body", b"")))
        await send(answer, message)

    assert client.post(f"{SESSIONS}/s2", json={"text": "x" * 10 * PIECE_BYTES}).status_code == 200
    monkeypatch.setattr(sse_keepalive._Answer, "send", seen)
    assert len(client.get(f"{SESSIONS}/s2").json()["state"]["text"]) == 10 * PIECE_BYTES
    assert max(sizes) == PIECE_BYTES


def test_a_body_of_very_many_small_values_is_refused_before_anything_parses_it(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, parsed = serve(mcp=True, a2a=True), list[object]()
    for module in ("tools.server.middleware.request_json.parse_json", "tools.mcp_server.http.error_for"):
        monkeypatch.setattr(module, parsed.append)
    for path, maximum in (
        ("/run", MAX_JSON_VALUES),
        (f"{SESSIONS}/s1", MAX_JSON_VALUES),
        (SESSIONS, MAX_RESTORED_VALUES),
        ("/mcp", MAX_JSON_VALUES),
        (A2A_PATH, MAX_A2A_VALUES),
    ):
        for value in ("[]", '""', '{"a":1}', "1"):
            answer = client.post(path, content=f"[{','.join([value] * (maximum + 1))}]")
            refused = (answer.status_code, f"at most {maximum:,} values" in answer.json()["detail"])
            assert refused == (400, True), (path, value)
    assert parsed == []


def test_a_body_in_utf_16_whose_values_the_check_does_not_see_is_refused(client: httpx2.Client) -> None:
    body = ('["\\""' + ",[]" * MAX_JSON_VALUES * 2 + "]").encode("utf-16-le")
    answer = client.post(f"{SESSIONS}/s2", content=body)
    assert (answer.status_code, "JSON in UTF-8" in answer.text) == (400, True)


def test_the_check_for_very_many_values_takes_little_memory() -> None:
    body = b"," * (MAX_JSON_VALUES + 1) + b'""' * 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(RequestRejected):
            check_values(body)
        assert tracemalloc.get_traced_memory()[1] < 3 * len(body)
    finally:
        tracemalloc.stop()


def test_other_requests_are_served_while_a_large_body_is_parsed(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(body: bytes) -> object:
        begun.set()
        assert go_on.wait(60)
        return json.loads(body)

    monkeypatch.setattr("tools.server.middleware.request_json.parse_json", slow)
    with ThreadPoolExecutor(1) as threads:
        large = threads.submit(client.post, f"{SESSIONS}/s2", json={"text": "x" * 2 * SMALL_BODY_BYTES})
        assert begun.wait(60)
        try:
            assert client.get("/healthz").status_code == 200
        finally:
            go_on.set()
        assert large.result().status_code == 200


def test_a_large_body_does_not_wait_for_all_the_large_bodies_of_another_user(
    serve: Serve, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    held, go_on, order, asked, of = threading.Event(), threading.Event(), list[str](), list[str](), UserQueues.of

    def slow(body: bytes) -> object:
        data = json.loads(body)
        order.append(data["user"])
        held.set()
        assert go_on.wait(60)
        return {}

    def send(user: str) -> int:
        body = {"user": user, "text": "x" * 2 * SMALL_BODY_BYTES}
        headers = {"Authorization": f"Bearer {issuer.token(user)}"}
        return client.post(SESSIONS, json=body, headers=headers).status_code

    monkeypatch.setattr("tools.server.middleware.request_json.parse_json", slow)
    monkeypatch.setattr(UserQueues, "of", lambda self, reader: (asked.append(reader), of(self, reader))[1])
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(send, "ada")
        assert held.wait(60)
        try:
            others = [threads.submit(send, "ada") for _ in range(5)]
            until(lambda: asked.count("ada") >= 7)
            others.append(threads.submit(send, "bob"))
            until(lambda: "bob" in asked)
        finally:
            go_on.set()
        assert {each.result() for each in [first, *others]} == {200}
    assert order.index("bob") <= 2


def test_a_long_text_with_many_commas_is_one_value(client: httpx2.Client) -> None:
    text = '1,"[{:\\' * MAX_JSON_VALUES
    assert client.post(f"{SESSIONS}/s2", json={"text": text}).status_code == 200
    assert client.get(f"{SESSIONS}/s2").json()["state"] == {"text": text}
    check_values(b'["' + b'\\",' * 3_000_000)  # in quadratic time, this would take days


@pytest.mark.parametrize("place", ["sqlite", "postgresql"])
def test_a_message_with_unsafe_characters_is_answered_and_stored_without_them(
    serve: Serve, place: str, request: pytest.FixtureRequest
) -> None:
    postgres = request.getfixturevalue("postgres") if place == "postgresql" else None
    client = serve(database_url=postgres.create_database() if postgres else "")
    body = {"sessionId": "s1", "state": {"a\0": "b\ud800"}}
    content = {"content-type": "application/json"}
    assert client.post(SESSIONS, content=json.dumps(body), headers=content).status_code == 200
    answer = client.post("/run", content=json.dumps(message("Hello\0 \ud83d \ud83d\ude00")), headers=content)
    assert said(answer) == "SMALL TALK"
    session = client.get(f"{SESSIONS}/s1").json()
    assert session["state"] == {"a?": "b\ufffd"}
    assert session["events"][0]["content"]["parts"][0]["text"] == "Hello? \ufffd \U0001f600"
    change = json.dumps({"stateDelta": {"c": "\ud800"}})
    assert client.patch(f"{SESSIONS}/s1", content=change, headers=content).json()["state"]["c"] == "\ufffd"


def test_an_unexpected_error_is_one_sentence_for_the_client_and_a_log_entry(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*arguments: object, **values: object) -> None:
        raise RuntimeError("SELECT * FROM /srv/desk")

    for part in ("get_session", "create_session"):
        monkeypatch.setattr(f"google.adk.sessions.DatabaseSessionService.{part}", fail)
    monkeypatch.setattr(CheckedDatabaseSessions, "last_updates", fail)
    monkeypatch.setattr("tools.adk.sessions.batched_database_sessions.BatchedDatabaseSessions._read", fail)
    for method, path in (("GET", SESSIONS), ("POST", SESSIONS), ("GET", f"{SESSIONS}/s1"), ("POST", "/run")):
        caplog.clear()
        answer = client.request(method, path, json=message("Hello") if path == "/run" else None)
        assert answer.status_code == 500
        assert answer.json()["detail"].startswith("The server failed to handle this request.")
        until(lambda: "SELECT" in caplog.text)  # logged after the answer was sent


def test_a_value_that_the_database_refuses_gets_400_without_retry_after(
    client: httpx2.Client, environment: Path
) -> None:
    with closing(sqlite3.connect(environment / "sessions.db")) as sessions:
        sessions.execute("create trigger full before insert on events begin select raise(abort, 'full'); end")
    for method, path, body in (
        ("POST", "/run", message("Hello")),
        ("PATCH", f"{SESSIONS}/s1", {"stateDelta": {"x": 1}}),
    ):
        answer = client.request(method, path, json=body)
        assert (answer.status_code, "retry-after" in answer.headers) == (400, False)
        assert "refuses" in answer.json()["detail"]


def test_a_server_that_cannot_write_is_not_ready(
    serve: Serve, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.server.health.READINESS_TTL_S", 0.0)
    client = serve()
    until(lambda: client.get("/readyz").status_code == 200)
    monkeypatch.setattr("tools.server.health.PROBE_TIMEOUT_S", 0.5)  # short, since no other process holds these locks
    for name, file in (("sessions", "sessions.db"), ("ledger", "ledger.db")):
        with closing(sqlite3.connect(environment / file)) as other:
            other.execute("begin immediate")  # like a connection that was lost during a write
            assert client.get("/readyz").json() == {"status": "not ready", name: "cannot be written"}
        until(lambda: client.get("/readyz").status_code == 200)


def test_repeated_readiness_probes_do_not_reach_the_database(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.server.health.READINESS_TTL_S", 1e6)
    assert client.get("/readyz").status_code == 200
    looked: list[object] = []
    monkeypatch.setattr(Database, "write", looked.append)
    for _ in range(20):
        assert client.get("/readyz").status_code == 200
    assert looked == []


def test_a_file_name_with_many_levels_is_refused(client: httpx2.Client) -> None:
    client.post(f"{SESSIONS}/s1", json={})
    for name in ("a/b/c/d.txt", "a\\b\\c\\d.txt"):
        answer = client.post(f"{SESSIONS}/s1/artifacts", json={"filename": name, "artifact": {"text": "x"}})
        assert (answer.status_code, "at most 3 levels" in answer.json()["detail"]) == (400, True)
    assert client.get(f"{SESSIONS}/s1/artifacts").json() == []


def test_a_client_does_not_choose_the_tier_that_the_operator_pays(client: httpx2.Client, api: Emulator) -> None:
    client.post(f"{SESSIONS}/s1", json={})
    answer = client.post("/run", json=message("Hello") | {"serviceTier": "priority", "service_tier": "priority"})
    assert answer.status_code == 200
    bodies = [request.get("body") for request in api.log(bodies=True)["requests"] if request["method"] == "POST"]
    assert bodies
    assert all("service_tier" not in str(body) for body in bodies)
