"""Pings keep a proxy from cutting a silent event stream, and headers keep caches from holding it back."""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from interactions_emulator import Emulator
from tests.serve.conftest import Serve, message
from tools.server.middleware.sse_keepalive import PING, SseKeepalive
from tools.server.timeouts import PING_INTERVAL_S

SESSION = "/apps/desk/users/me/sessions/s1"


class Time:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleeping: list[tuple[float, asyncio.Event]] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleeping.append((self.now + seconds, woken))
        await woken.wait()

    async def pass_by(self, seconds: float) -> None:
        """Moves the clock second by second, and lets tasks run that wake up."""
        for _ in range(int(seconds)):
            self.now += 1
            for end, woken in self._sleeping:
                if end <= self.now:
                    woken.set()
            for _ in range(10):
                await asyncio.sleep(0)


async def stream(time: Time, *pieces: bytes | float, kind: bytes = b"text/event-stream") -> bytes:
    """What a client gets of an answer that sends these pieces. A number is a silence in seconds."""
    got: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        for piece in pieces:
            if isinstance(piece, bytes):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            else:
                await time.pass_by(piece)
        await send({"type": "http.response.body", "body": b""})
        await time.pass_by(100)

    async def take(message: Message) -> None:
        got.append(message.get("body", b""))

    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    await SseKeepalive(app, time.clock, time.sleep)({"type": "http"}, nothing, take)
    return b"".join(got)


ONE, OTHER = b"data: 1\n\n", b"data: 2\n\n"


async def test_a_ping_is_sent_after_every_fifteen_seconds_of_silence() -> None:
    assert await stream(Time(), 31.0, ONE, 46.0, OTHER) == PING * 2 + ONE + PING * 3 + OTHER


async def test_no_ping_is_sent_while_events_come_often_enough() -> None:
    assert PING_INTERVAL_S == 15
    assert await stream(Time(), ONE, 14.0, OTHER, 14.0, ONE) == ONE + OTHER + ONE


async def test_the_error_event_of_another_library_stays_as_it_is() -> None:
    for error in (b'data: {"error": {"code": -32603}}\n\n', b'data: {"error": "a", "error_details": null}\n\n'):
        assert await stream(Time(), error) == error


async def test_a_ping_never_lands_inside_an_event() -> None:
    assert await stream(Time(), b"data: 1", 100.0, b"\n\n", 16.0) == ONE + PING


async def test_an_answer_that_is_not_an_event_stream_has_no_pings() -> None:
    assert await stream(Time(), b"[", 100.0, b"]", kind=b"application/json") == b"[]"


def test_event_streams_are_neither_cached_nor_buffered(serve: Serve) -> None:
    client = serve()
    client.post(SESSION, json={})
    for _ in range(2):  # the second answer is replayed from the session
        answer = client.post("/run_sse", json=message("Hello"), headers={"Idempotency-Key": "m1"})
        assert answer.text.startswith("data: ")
        assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")


def test_the_start_of_a_run_is_streamed_before_its_first_progress(serve: Serve, api: Emulator) -> None:
    client, text = serve(attach_seconds=60), ""
    client.post(SESSION, json={})
    with client.stream("POST", "/run_sse", json=message("research tides", streaming=True)) as answer:
        for line in answer.iter_lines():
            text += line
            if "begins; it usually takes" in line:
                api.set_speed(math.inf)  # until then the run makes no progress
    assert "# Tides" in text


def test_an_error_in_a_stream_reveals_no_internals(serve: Serve, environment: Path) -> None:
    client = serve()
    client.post(SESSION, json={})
    with closing(sqlite3.connect(environment / "sessions.db")) as sessions:
        sessions.execute("create trigger full before insert on events begin select raise(abort, 'full'); end")
    answer = client.post("/run_sse", json=message("Hello"))
    told = json.loads(answer.text.removeprefix("data: "))["error"]
    assert told.startswith("The server failed to handle this request.")
    assert not any(word in answer.text for word in ("INSERT", "sqlite", "Error:", "full"))


@pytest.mark.parametrize("state", [{"app:x": 1}, {"forget_refused": []}])
def test_a_stream_says_what_is_wrong_with_a_message(serve: Serve, state: dict[str, object]) -> None:
    client = serve()
    client.post(SESSION, json={})
    answer = client.post("/run_sse", json=message("Hello", stateDelta=state))
    assert next(iter(state)) in json.loads(answer.text.removeprefix("data: "))["error"]
