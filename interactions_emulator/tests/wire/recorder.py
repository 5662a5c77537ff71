"""The recorder and a server for what it recorded, each on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from socket import socket
from typing import Any

import yaml

from interactions_emulator.engine.clock import Clock
from interactions_emulator.engine.request_log import Log
from interactions_emulator.http import connection
from interactions_emulator.http.connection import App
from interactions_emulator.http.responses import Replayed
from interactions_emulator.http.serving import bind, serve_app
from interactions_emulator.recording.file_format import Exchange, exchanges
from interactions_emulator.recording.recorder import serve
from interactions_emulator.recording.replay import Replay

Ready = Callable[[Callable[[], None]], None]


@contextmanager
def running(serve: Callable[[socket, Ready], Coroutine[Any, Any, Any]]) -> Iterator[str]:
    """Run a server on a thread; the value is its address."""
    listener, serving = bind(0), threading.Event()
    stops: list[Callable[[], None]] = []
    failures: list[BaseException] = []

    def ready(stop: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(stop) and None)
        serving.set()

    def work() -> None:
        try:
            asyncio.run(serve(listener, ready))
        except BaseException as failure:
            failures.append(failure)
        finally:
            serving.set()

    thread = threading.Thread(target=work)
    thread.start()
    serving.wait()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        for stop in stops:
            with suppress(RuntimeError):  # it has ended by itself
                stop()
        thread.join()
        listener.close()
    if failures:
        raise failures[0]


def recorder(file: Path, upstream: str) -> Any:
    """The recorder before an upstream."""
    return running(lambda listener, ready: serve(file, upstream, listener, ready))


def application(app: App) -> Any:
    """Any application, as an upstream."""
    return running(lambda listener, ready: serve_app(app, Log(), 2**30, listener, asyncio.Event(), ready))


def replayed(file: Path) -> Any:
    """A server that has nothing but the recorded answers."""
    replay = Replay(read(file))

    def app(asked: connection.Exchange) -> connection.Remainder:
        key = asked.headers.get(b"x-goog-api-key", b"").decode()
        answer = replay.answer(asked.method, asked.path, asked.query.decode(), asked.body, [key])
        assert answer, f"nothing recorded for {asked.method} {asked.path}"
        return Replayed(answer, Clock(inf)).send(asked)

    return application(app)


def read(file: Path) -> list[Exchange]:
    """What a file of nothing but exchanges holds."""
    return exchanges(yaml.safe_load(file.read_text(encoding="utf-8")))
