"""Limits of connections and of the heads of requests, and what ends a connection."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from starlette.applications import Starlette

from tests.kill.test_kill import until
from tests.serve.conftest import AUDIENCE, Issuer, Serve, raw, ready
from tools.server.limits import MAX_CONNECTIONS, MAX_HEADERS, MAX_OPEN_FILES
from tools.server.uvicorn_server import timed_protocol

SESSIONS = "/apps/desk/users/me/sessions"


@pytest.mark.parametrize("begun", [b"", b"GET /list-apps HTTP/1.1\r\nHost: loc"])
def test_a_connection_whose_request_head_does_not_arrive_is_closed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr("tools.server.uvicorn_server.CLOSE_GRACE_S", 0.1)
    assert raw(serve(request_seconds=0.1), begun) == b""


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /?",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
        b"POST /run HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: ",
    ],
    ids=["address", "header", "header after the body"],
)
def test_an_endless_request_head_is_refused_and_not_kept(serve: Serve, begun: bytes) -> None:
    base = serve().base_url
    with socket.create_connection((base.host, base.port or 0), timeout=300) as connection:
        connection.sendall(begun)
        with pytest.raises(ConnectionError):
            for _ in range(20):
                connection.sendall(b"a" * 1_000_000)


def test_a_head_of_very_many_headers_is_refused(serve: Serve) -> None:
    answer = raw(serve(), b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"a:\r\n" * 2 * MAX_HEADERS)
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_requests_that_do_not_wait_for_the_answers_before_them_fill_no_memory(serve: Serve) -> None:
    client = serve()
    place = client.base_url.host, client.base_url.port or 0
    with socket.create_connection(place, timeout=300) as connection, pytest.raises(ConnectionError):
        for _ in range(1_000):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1_000)
    assert client.get("/healthz").status_code == 200


def test_a_connection_that_sends_line_ends_instead_of_a_request_is_closed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.server.uvicorn_server.CLOSE_GRACE_S", 0.1)
    answer = raw(serve(request_seconds=0.1), b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_connections_leave_files_to_the_database_and_to_the_api(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.server.uvicorn_server.open_files", lambda: 8)
    client = serve()
    with ExitStack() as connections:
        opened = [
            connections.enter_context(socket.create_connection((client.base_url.host, client.base_url.port or 0)))
            for _ in range(5)
        ]
        opened[0].settimeout(300)
        with suppress(ConnectionError):
            assert opened[0].recv(1) == b""  # the oldest one was closed
    until(lambda: ready(client))


def test_connections_without_requests_keep_no_request_out(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.server.uvicorn_server.open_files", lambda: 16)
    client = serve()
    address = client.base_url.host, client.base_url.port or 0
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with ExitStack() as connections:
        for _ in range(20):
            connections.enter_context(socket.create_connection(address)).sendall(b"GET /healthz HTTP/1.1\r\nX: ")
            assert raw(client, request).startswith(b"HTTP/1.1 200 ")


def test_a_connection_whose_request_is_being_answered_makes_room_for_no_other(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.server.uvicorn_server.open_files", lambda: 4)
    client = serve()
    address = client.base_url.host, client.base_url.port or 0
    begun, go_on, call = threading.Event(), threading.Event(), Starlette.__call__

    async def slow(*arguments: Any) -> None:
        begun.set()
        await asyncio.to_thread(go_on.wait, 60)
        await call(*arguments)

    monkeypatch.setattr(Starlette, "__call__", slow)
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection(address, timeout=300) as answered, ExitStack() as others:
        answered.sendall(head)
        assert begun.wait(60)
        for _ in range(5):
            others.enter_context(socket.create_connection(address))
        refused = others.enter_context(socket.create_connection(address, timeout=300))
        for _ in range(5):
            others.enter_context(socket.create_connection(address))
        with suppress(ConnectionError):
            assert refused.recv(1) == b""
        go_on.set()
        assert answered.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_connections_together_take_no_more_memory_than_a_small_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.server.uvicorn_server.open_files", lambda: MAX_OPEN_FILES)
    assert timed_protocol(60).max_connections == MAX_CONNECTIONS


def test_a_field_after_a_chunked_body_is_no_header(serve: Serve, issuer: Issuer) -> None:
    client = serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    fields = f"Authorization: Bearer {issuer.token('ada')}\r\n"
    head, body = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n"
    for request, status in ((f"{head}\r\n{body}{fields}\r\n", b"401"), (f"{head}{fields}\r\n{body}\r\n", b"404")):
        assert raw(client, request.encode()).split()[1] == status


def test_a_long_body_is_no_long_head(serve: Serve) -> None:
    client = serve()
    body = {"state": {"text": "x" * 300_000}}
    assert [client.post(f"{SESSIONS}/s{number}", json=body).status_code for number in range(3)] == [200] * 3


def test_a_refused_request_with_an_unfinished_body_closes_its_connection(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.server.uvicorn_server.CLOSE_GRACE_S", 0.1)
    client = serve(request_seconds=0.1)
    answer = raw(client, b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nx")
    assert answer.startswith(b"HTTP/1.1 404 ")


def test_a_request_for_a_websocket_is_answered_within_the_same_limits_and_not_logged(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tools.server.uvicorn_server.CLOSE_GRACE_S", 0.1)
    client = serve(request_seconds=0.1)
    upgrade = b"Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    upgrade += b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    long = b"X: " + b"a" * 9_000 + b"\r\n"
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "handlers", [caplog.handler])
    caplog.set_level(logging.INFO, "uvicorn.error")
    assert raw(client, b"GET /healthz HTTP/1.1\r\n" + upgrade + long + b"\r\n").startswith(b"HTTP/1.1 200 ")
    assert raw(client, b"GET /healthz HTTP/1.1\r\n" + upgrade + long * 4).startswith(b"HTTP/1.1 400 ")
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]
