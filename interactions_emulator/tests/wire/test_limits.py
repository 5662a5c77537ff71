"""What the server does not let happen: strangers, floods, memory without end."""

from __future__ import annotations

import asyncio
import json
import socket
from http.client import HTTPResponse
from types import SimpleNamespace

import httpx2
import pytest

from interactions_emulator import Emulator
from interactions_emulator.engine.state_store import Journal
from interactions_emulator.http.api import Api
from interactions_emulator.http.build_context import build_context
from interactions_emulator.http.settings import Settings
from interactions_emulator.limits import ServerLimits
from wire.brains import WAIT, brain
from wire.conftest import KEY, MODEL, Wire, research


def test_an_oversized_body_is_refused_before_it_is_read(api: Emulator) -> None:
    with Emulator(brain=brain, limits=ServerLimits(max_body_bytes=1_000)) as small:
        wire = Wire(small.url)
        assert "larger than 1000 bytes" in wire.refused(
            wire.http.post("/interactions", json={"model": MODEL, "input": "x" * 2_000}), 413
        )
        wire.create({"model": MODEL, "input": "x" * 500})


def test_no_more_streams_than_allowed_are_open_at_once() -> None:
    with Emulator(brain=brain, speed=0, limits=ServerLimits(max_concurrent_requests=3)) as api:
        wire = Wire(api.url)
        run = wire.create(research())["id"]
        streams = [wire.resume(run) for _ in range(3)]
        for stream in streams[:2]:
            next(stream)
        wire.get(run)
        next(streams[2])
        assert "close some streams" in wire.refused(wire.http.get(f"/interactions/{run}"), 429)
        for stream in streams:
            stream.close()
        while wire.http.get(f"/interactions/{run}").status_code == 429:
            pass


def test_the_oldest_finished_interaction_is_deleted_when_storage_is_full() -> None:
    with Emulator(brain=brain, speed=0, limits=ServerLimits(max_stored=3)) as api:
        wire = Wire(api.url)
        running = wire.create(research())["id"]
        made = [wire.create({"model": MODEL, "input": f"{n}"})["id"] for n in range(4)]
        kept = [wire.http.get(f"/interactions/{id_}").status_code for id_ in (running, *made)]
        assert kept == [200, 404, 404, 200, 200]
        for _ in range(2):
            wire.create(research())
        body = research()
        assert "cancel or delete some" in wire.refused(wire.http.post("/interactions", json=body), 429)
        api.advance(5 * WAIT)
        assert wire.get(running)["status"] == "completed"


def test_a_server_with_a_token_accepts_only_that_token() -> None:
    with Emulator(brain=brain, token="s3cret") as api:
        wire = Wire(api.url)
        body = {"model": MODEL, "input": "hello"}
        assert "the token" in wire.refused(wire.http.post("/interactions", json=body), 401)
        for headers in ({"x-goog-api-key": "s3cret"}, {"x-goog-api-key": "", "authorization": "Bearer s3cret"}):
            wire.create(body, **headers)
        assert "s3cret" not in str(api.log())


def test_the_log_counts_creates_by_key_and_numbers_connections(api: Emulator, wire: Wire) -> None:
    body = {"model": MODEL, "input": "hello"}
    wire.create(body)
    wire.create(body)
    assert httpx2.post(f"{api.url}/v1beta/interactions", json=body, headers={"x-goog-api-key": "another"}).is_success
    log = api.log()
    mine, other = log["requests"][0]["key"], log["requests"][2]["key"]
    assert log["creates_by_key"] == {mine: 2, other: 1}
    assert KEY["x-goog-api-key"] not in str(log)
    assert [request["connection"] for request in log["requests"]] == [1, 1, 2]
    assert log["connections"]["opened"] == 3  # this question is the third


def test_only_local_clients_can_inject_a_crash() -> None:
    context = build_context(Settings(), Journal(), None, brain, asyncio.Event())
    headers = {b"x-goog-api-key": b"any", b"x-emulator-fault": b'{"crash": true}'}
    for address, status in (("192.0.2.7", 403), ("127.0.0.1", None)):
        stranger = SimpleNamespace(method="POST", path="/v1/interactions", query=b"", headers=headers, client=address)
        stranger.body, stranger.too_large, stranger.connection = b'{"model": "m", "input": "x"}', False, 1
        answer = Api(context).answer(stranger)  # type: ignore[arg-type]
        assert answer is not None and answer.status == status
        assert context.closing.is_set() is (status is None)


def test_a_client_that_offers_http_2_is_answered_in_http_1_on_the_same_connection(api: Emulator) -> None:
    body = json.dumps({"model": MODEL, "input": "hello"}).encode()
    lines = (
        "POST /v1beta/interactions HTTP/1.1",
        "host: x",
        "x-goog-api-key: any",
        "connection: Upgrade, HTTP2-Settings",
        "upgrade: h2c",
        "http2-settings: AAMAAABkAARAAAAAAAIAAAAA",
        f"content-length: {len(body)}",
    )
    with socket.create_connection(("127.0.0.1", api.port)) as peer:
        for _ in range(2):
            peer.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body[:5])
            peer.sendall(body[5:])
            answer = HTTPResponse(peer)
            answer.begin()
            assert (answer.status, json.load(answer)["status"]) == (200, "completed")
    assert api.log()["connections"]["opened"] == 2  # the other one asked for this log


NO_HTTP = [
    b"GET / HTTP/9\r\n\r\n",
    b"\x16\x03\x01 hello",
    b"POST /v1beta/interactions HTTP/1.1\r\ncontent-length: x\r\n\r\n",
]


@pytest.mark.parametrize("raw", NO_HTTP)
def test_invalid_http_is_refused_with_a_json_error(api: Emulator, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", api.port)) as peer:
        peer.sendall(raw)
        answer = b""
        while part := peer.recv(65_536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 400") and answer.endswith(b'"}}')
