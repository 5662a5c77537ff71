"""Builds a server from its settings and runs it on a socket until it is stopped."""

from __future__ import annotations

import asyncio
import math
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from interactions_emulator.agents.registry import Agents
from interactions_emulator.brain.protocol import Brain, Entry, Turn
from interactions_emulator.engine.clock import Clock
from interactions_emulator.engine.interaction import Interaction
from interactions_emulator.engine.request_log import Log
from interactions_emulator.engine.runs import Runs
from interactions_emulator.engine.state_store import Journal
from interactions_emulator.faults.fault import Fault
from interactions_emulator.faults.matching import Faults
from interactions_emulator.file_search.stores import Stores
from interactions_emulator.files.blobs import Blobs
from interactions_emulator.files.references import with_files
from interactions_emulator.files.registry import Files
from interactions_emulator.files.uploads import Uploads
from interactions_emulator.http.app import App, create_app
from interactions_emulator.http.context import AppContext, Documents, ServerLimits
from interactions_emulator.http.protocol import App as AnyApp
from interactions_emulator.http.protocol import Connection
from interactions_emulator.http.scopes import Scopes
from interactions_emulator.http.triggers import begin_execution
from interactions_emulator.recording.replay import Replay
from interactions_emulator.scenarios import ScenarioFile, Script, Source, load_scenarios
from interactions_emulator.triggers.registry import Triggers
from interactions_emulator.triggers.scheduler import Scheduler
from interactions_emulator.webhooks.delivery import Deliveries
from interactions_emulator.webhooks.registry import Webhooks

if TYPE_CHECKING:
    from interactions_emulator.corpus.index import Corpus

HOST = "127.0.0.1"


@runtime_checkable
class SearchingBrain(Protocol):
    """A brain that searches the server's corpus, such as `brain.model.ModelBrain`."""

    def with_corpus(self, corpus: Corpus) -> Brain: ...


@dataclass(frozen=True)
class Settings:
    """Settings of a server."""

    brain: Brain | None = None
    """The function that answers; None: the built-in brain, which quotes `corpus`."""
    corpus: Path | None = None
    """A folder of documents; None means the documents that come with the emulator."""
    index: Path | None = None
    """File that keeps the search index of the corpus between starts."""
    state: Path | None = None
    """SQLite file that keeps the state across restarts; None: the state is lost at the end."""
    speed: float = math.inf
    """Virtual seconds per real second. 0: time moves only by request (`http/admin.py`); `math.inf`: nothing waits."""
    faults: list[Fault] = field(default_factory=list)
    scenarios: Source | None = None
    """A YAML file, a YAML text or a list of scenarios and recorded answers; see `docs/scenarios.md`."""
    retention_days: float = 55.0
    """Virtual days that an interaction is kept: 55 on the paid tier, 1 on the free one."""
    webhook_hosts: frozenset[str] = frozenset()
    """Hosts that webhook messages may be sent to, besides this machine."""
    token: str = ""
    """The only API key that is accepted; if empty, any key is accepted."""
    limits: ServerLimits = field(default_factory=ServerLimits)
    idle_exit: float | None = None
    """Real seconds without requests and runs after which the server ends; None: the server never ends by itself."""


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


def build_context(
    settings: Settings,
    journal: Journal,
    documents: Documents | None,
    brain: Brain,
    closing: asyncio.Event,
    crash: Callable[[], None] | None = None,
    on_corpus: Callable[[Corpus], Brain] | None = None,
) -> AppContext:
    """Build the parts of the application. Setting `closing` stops the server.

    `on_corpus` makes a brain that searches other documents; None: `brain` itself handles the tool `file_search`.
    """
    loaded = ScenarioFile() if settings.scenarios is None else load_scenarios(settings.scenarios)
    clock = _clock(settings.speed, journal)
    blobs = Blobs(settings.state and settings.state.with_name(settings.state.name + ".files"))
    files = Files(journal, clock, blobs, settings.limits.files)
    stores = Stores(journal, clock, blobs, settings.limits.files)
    agents = Agents(journal, play_all=settings.brain is not None or bool(loaded.scenarios))
    if settings.brain is None:
        brain = agents.only_research(brain)
    if on_corpus:
        brain = _with_file_search(brain, on_corpus, stores)
    script = Script(loaded.scenarios, brain, loaded.strict)
    webhooks = Webhooks(journal, clock, settings.webhook_hosts)
    deliveries = Deliveries(journal, clock, webhooks)
    triggers = Triggers(journal, clock)

    def on_ended(interaction: Interaction) -> None:
        deliveries.deliver(interaction)
        scheduler.on_ended(interaction)

    runs = Runs(
        journal,
        clock,
        with_files(agents.with_definitions(script), files),
        retention_days=settings.retention_days,
        max_stored=settings.limits.max_stored,
        on_ended=on_ended,
    )
    scheduler = Scheduler(triggers, clock, runs, lambda trigger: begin_execution(context, trigger))
    context = AppContext(
        runs=runs,
        faults=Faults(settings.faults),
        webhooks=webhooks,
        deliveries=deliveries,
        blobs=blobs,
        files=files,
        stores=stores,
        agents=agents,
        triggers=triggers,
        scheduler=scheduler,
        uploads=Uploads(journal, blobs, settings.limits.files),
        documents=documents,
        replay=Replay(loaded.exchanges, loaded.strict and not loaded.scenarios) if loaded.exchanges else None,
        script=script,
        crash=crash or closing.set,
        token=settings.token,
        limits=settings.limits,
        closing=closing,
    )
    return context


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
        documents, brain, on_corpus = _corpus_and_brain(settings)
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


def _clock(speed: float, journal: Journal) -> Clock:
    """A clock. With speed 0 it starts at the stored time, otherwise at the later of the stored and the real time."""
    stored = next((value for _, value in journal.read("clock")), None)
    if stored is None:
        return Clock(speed)
    return Clock(speed, start=stored if speed == 0 else max(stored, time.time()))


def _corpus_and_brain(settings: Settings) -> tuple[Documents | None, Brain, Callable[[Corpus], Brain] | None]:
    """The documents, the brain that searches them, and a function that makes the same brain for other documents."""
    documents: Corpus | None = None
    brain = settings.brain
    if brain is None or isinstance(brain, SearchingBrain) or settings.corpus is not None:
        from interactions_emulator.corpus.index import Corpus

        if settings.corpus and settings.corpus.is_file():
            raise NotADirectoryError(f"the corpus {settings.corpus} is a file: name the folder of your documents")
        if settings.index and settings.index.is_dir():
            raise IsADirectoryError(f"the index {settings.index} is a folder: name a file, which may not exist yet")
        documents = Corpus.open(settings.corpus, settings.index)
        if isinstance(brain, SearchingBrain):
            return documents, brain.with_corpus(documents), brain.with_corpus
        if brain is None:
            return documents, _quoting_brain(documents), _quoting_brain
    return documents, brain, None


def _quoting_brain(corpus: Corpus) -> Brain:
    """The built-in brain, which quotes the corpus. Its module is imported on the first turn."""

    @cache
    def brain() -> Brain:
        from interactions_emulator.brain import make_brain

        return make_brain(corpus)

    def answer(turn: Turn) -> Iterator[Entry]:
        yield from brain()(turn)

    return answer


def _with_file_search(brain: Brain, on_corpus: Callable[[Corpus], Brain], stores: Stores) -> Brain:
    """A brain that searches stores for turns with the tool `file_search`, whose modules are imported then."""

    @cache
    def searching() -> Brain:
        from interactions_emulator.file_search.search import FileSearch

        return FileSearch(brain, on_corpus, stores)

    def answer(turn: Turn) -> Iterable[Entry]:
        return (searching() if any(tool["type"] == "file_search" for tool in turn.tools) else brain)(turn)

    return answer
