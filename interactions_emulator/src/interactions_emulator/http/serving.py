"""Runs a server on a socket until it is stopped."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from interactions_emulator.engine.request_log import Log
from interactions_emulator.engine.state_store import Journal
from interactions_emulator.http.app import App, create_app
from interactions_emulator.http.build_context import build_context, corpus_and_brain
from interactions_emulator.http.connection import App as AnyApp
from interactions_emulator.http.connection import Connection
from interactions_emulator.http.scopes import Scopes
from interactions_emulator.http.settings import HOST, Settings


def bind(port: int, host: str = HOST) -> socket.socket:
    """Return a listening socket. `port` 0 means a free port. Raises OSError if the port cannot be used."""
    # IPPROTO_TCP is explicit: without it asyncio leaves Nagle's algorithm on, which adds 40 ms to an answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        listener.close()
        why = error.strerror if isinstance(error, OSError) else "a port is a number up to 65535"
        raise OSError(f"port {port} on {host} cannot be used ({why}): choose another") from error
    return listener


async def serve(
    settings: Settings,
    listener: socket.socket,
    ready: Callable[[Callable[[], None]], None],
    crash: Callable[[], None] | None = None,
) -> None:
    """Serve on `listener` until stopped.

    `ready` is called once the server accepts requests; its argument is a function that stops the server. `crash`
    is called by the fault `crash`; if it is None, the fault stops the server and leaves open requests unanswered.

    Raises `JournalError` if the state file cannot be used, and `Refused` for a scenario that cannot be read.
    """
    with ExitStack() as stack:
        journal = Journal(settings.state)
        stack.callback(journal.close)
        documents, brain, on_corpus = corpus_and_brain(settings)
        closing = asyncio.Event()
        context = build_context(settings, journal, documents, brain, closing, crash, on_corpus)
        context.runs.resume()
        context.deliveries.resume()
        context.scheduler.resume()
        in_memory = replace(settings, state=None)

        def new_scope() -> App:
            return create_app(build_context(in_memory, Journal(), documents, brain, closing, crash, on_corpus))

        scopes = Scopes(create_app(context), new_scope)
        if settings.idle_exit is not None:
            watch = asyncio.create_task(_stop_when_idle(settings.idle_exit, scopes, closing))
            stack.callback(watch.cancel)
        await serve_app(scopes, context.log, settings.limits.max_body_bytes, listener, closing, ready)
        for app in scopes.apps:
            await app.stop()


async def serve_app(
    app: AnyApp,
    log: Log,
    max_body_bytes: int,
    listener: socket.socket,
    closing: asyncio.Event,
    ready: Callable[[Callable[[], None]], None],
) -> None:
    """Serve `app` on `listener` until the application or a signal sets `closing`; then cut open connections.

    `ready` is called once the server accepts requests; its argument is a function that stops the server.
    """
    loop = asyncio.get_running_loop()
    connections: set[Connection] = set()
    if threading.current_thread() is threading.main_thread() and sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, closing.set)
    server = await loop.create_server(lambda: Connection(app, log, max_body_bytes, connections), sock=listener)
    ready(closing.set)
    await closing.wait()
    server.close()
    tasks = [connection.task for connection in connections if connection.task]
    for connection in list(connections):
        connection.transport.abort()
    await asyncio.gather(*tasks, return_exceptions=True)  # `connection_lost` cancels each task


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a server's coroutine on uvloop, or on asyncio's loop where uvloop is not installed."""
    # `except ImportError` would put the missing uvloop into each later traceback.
    if find_spec("uvloop"):
        import uvloop

        uvloop.run(main)
    else:
        asyncio.run(main)


async def _stop_when_idle(seconds: float, scopes: Scopes, closing: asyncio.Event) -> None:
    left = seconds
    while left > 0:
        await asyncio.sleep(left)
        for app in scopes.apps:
            if app.active:
                app.context.log.touch()
        left = max(app.context.log.last_activity for app in scopes.apps) + seconds - time.monotonic()
    closing.set()
