"""Limits of messages, of restored conversations, and of how often a client changes conversations."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx2
import pytest

from tests.serve.conftest import AUDIENCE, Issuer, Serve, message, said
from tools.server.error_handlers import RequestRejected
from tools.server.limits import (
    CHANGES_PER_TURN,
    LARGE_CHANGE_BYTES,
    MAX_JSON_VALUES,
    MAX_PARTS,
    MAX_RESTORED_EVENTS,
    MAX_RESTORED_VALUES,
)
from tools.server.middleware.rate_limit import ChangeLimiter, RateLimited, RateLimiter
from tools.server.middleware.request_json import check_values
from tools.server.paths import A2A_PATH

SESSIONS = "/apps/desk/users/me/sessions"


def content(count: int) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": "a"}] * count}


def by_a2a(count: int) -> dict[str, Any]:
    told = content(count) | {"messageId": "m1", "role": "ROLE_USER"}
    return {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": told}}


def restored(count: int) -> dict[str, Any]:
    return {"events": [{"author": "user", "content": content(1)}, {"author": "desk", "content": content(count)}]}


def test_a_message_of_very_many_parts_is_refused(serve: Serve) -> None:
    client = serve(a2a=True)
    client.post(f"{SESSIONS}/s1", json={})
    for path in ("/run", "/run_sse", A2A_PATH, SESSIONS):
        made = {A2A_PATH: by_a2a, SESSIONS: restored}.get(path, lambda count: message("", newMessage=content(count)))
        answer = client.post(path, json=made(MAX_PARTS + 1))
        refused = (answer.status_code, answer.json()["detail"])
        assert refused == (400, f"a message may have at most {MAX_PARTS} parts"), path
        assert client.post(path, json=made(MAX_PARTS)).status_code == 200, path


def test_a_long_conversation_is_restored_from_its_export_and_a_longer_one_refused(serve: Serve) -> None:
    client = serve()
    client.post(f"{SESSIONS}/s1", json={})
    for _ in range(2):
        client.post("/run", json=message("weather in Lisbon"))
    exported = client.get(f"{SESSIONS}/s1").json()["events"]
    events = [
        {name: value for name, value in exported[number % len(exported)].items() if name not in ("actions", "id")}
        for number in range(MAX_RESTORED_EVENTS + 1)
    ]
    refused = client.post(SESSIONS, json={"sessionId": "s2", "events": events})
    assert (refused.status_code, "send the newest ones" in refused.json()["detail"]) == (400, True)
    body = {"sessionId": "s2", "events": events[1:]}
    with pytest.raises(RequestRejected, match="values"):
        check_values(json.dumps(body).encode(), MAX_JSON_VALUES)  # more than other requests may have
    assert client.post(SESSIONS, json=body).status_code == 200
    assert len(client.get(f"{SESSIONS}/s2").json()["events"]) == MAX_RESTORED_EVENTS
    assert said(client.post("/run", json=message("Hello", session="s2"))) == "SMALL TALK"


@pytest.mark.parametrize("time", [-1, 1e18, "1e18", 10**400, "NaN", 253_402_300_800])
def test_a_restored_event_whose_time_no_database_can_store_is_refused(serve: Serve, time: object) -> None:
    client = serve()
    refused = client.post(SESSIONS, json={"events": [restored(1)["events"][0] | {"timestamp": time}]})
    assert refused.status_code == 400, refused.text
    assert client.get(SESSIONS).json() == []


def test_a_restored_conversation_may_have_no_more_state_than_another_one(serve: Serve) -> None:
    client = serve()
    state = {f"k{number}": number for number in range(MAX_JSON_VALUES)}
    for body, limit in (
        ({"state": state, **restored(1)}, MAX_JSON_VALUES),
        ({"events": [[1] * MAX_RESTORED_VALUES]}, MAX_RESTORED_VALUES),
    ):
        refused = client.post(SESSIONS, json=body)
        assert (refused.status_code, f"at most {limit:,} values" in refused.json()["detail"]) == (400, True)


def test_changes_of_conversations_have_a_limit_per_minute_and_turns_do_not_count(serve: Serve) -> None:
    client = serve(turns_per_minute=1)
    for number in range(CHANGES_PER_TURN):
        assert client.post(f"{SESSIONS}/s{number}", json={}).status_code == 200
    for method, path in (("POST", SESSIONS), ("PATCH", f"{SESSIONS}/s1"), ("DELETE", f"{SESSIONS}/s1")):
        refused: httpx2.Response = client.request(method, path, json={"stateDelta": {}})
        assert (refused.status_code, "5 changes of conversations" in refused.json()["detail"]) == (429, True)
        assert 0 < int(refused.headers["retry-after"]) <= 61
    assert client.get(f"{SESSIONS}/s1").status_code == 200
    assert client.post("/run", json=message("Hello")).status_code == 200


def test_a_large_change_counts_as_a_turn(serve: Serve) -> None:
    client = serve(turns_per_minute=1)
    assert client.post(f"{SESSIONS}/s1", json={"text": "x" * LARGE_CHANGE_BYTES}).status_code == 200
    assert client.post("/run", json=message("Hello")).status_code == 429
    assert client.patch(f"{SESSIONS}/s1", json={"stateDelta": {"a": "x" * LARGE_CHANGE_BYTES}}).status_code == 429
    assert client.patch(f"{SESSIONS}/s1", json={"stateDelta": {"a": 1}}).status_code == 200


@pytest.mark.parametrize("path", ["/run", f"{SESSIONS}/s1"])
def test_over_the_limit_per_minute_no_body_is_read(serve: Serve, issuer: Issuer, path: str) -> None:
    client = serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE, turns_per_minute=1)
    host, port = client.base_url.host, client.base_url.port
    headers = {"authorization": f"Bearer {issuer.token('ada')}"}
    client.post(f"{SESSIONS}/s1", json={}, headers=headers)
    client.post("/run", json=message("Hello"), headers=headers)
    for _ in range(CHANGES_PER_TURN):
        client.patch(f"{SESSIONS}/s1", json={"stateDelta": {"a": 1}}, headers=headers)
    method = "POST" if path == "/run" else "PATCH"
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: {headers['authorization']}\r\n"
    with socket.create_connection((host, port or 80), timeout=30) as connection:
        connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 900000\r\n\r\n".encode())
        answer = connection.makefile("rb").read().lower()  # nothing of the body was sent
    assert answer.startswith(b"http/1.1 429") and b"connection: close" in answer


def test_a_flood_of_large_changes_that_are_refused_as_turns_is_limited_as_changes() -> None:
    limiter = ChangeLimiter(RateLimiter(at_once=1, per_minute=1, clock=lambda: 0.0))
    limiter.count("ada", LARGE_CHANGE_BYTES + 1)
    for _ in range(CHANGES_PER_TURN - 1):
        with pytest.raises(RateLimited, match="turns in a minute"):
            limiter.count("ada", LARGE_CHANGE_BYTES + 1)
    with pytest.raises(RateLimited, match="changes of conversations in a minute"):
        limiter.check("ada")


def test_changes_are_allowed_again_after_a_minute() -> None:
    now = [0.0]
    limiter = ChangeLimiter(RateLimiter(at_once=1, per_minute=1, clock=lambda: now[0]))
    for _ in range(3):
        for _ in range(CHANGES_PER_TURN):
            limiter.count("ada", 1)
        with pytest.raises(RateLimited, match="changes of conversations in a minute"):
            limiter.count("ada", 1)
        limiter.count("bob", 1)
        now[0] += 60
