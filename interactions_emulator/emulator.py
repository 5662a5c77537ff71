"""The server as a thing to start: in a thread of this process (`Emulator`), or as a process (`__main__`)."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import filelock
import uvicorn

from interactions_emulator.clock import Clock
from interactions_emulator.faults import Fault, Faults, given, parse_faults
from interactions_emulator.runs import Runs
from interactions_emulator.scenarios import load_scenarios, scripted
from interactions_emulator.server import SERVER, Activity, Documents, create_app
from interactions_emulator.state import State
from interactions_emulator.streams import Connection
from interactions_emulator.turn import Brain

if TYPE_CHECKING:
    from interactions_emulator.corpus import Corpus

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Settings:
    """What a server is made of.

    `brain` None means the extractive brain over `corpus`, a folder of documents, or, when that is None, the
    documentation of the Python packages installed here; `index` is a file that keeps the search index of the
    corpus between starts. `state` None forgets everything at the end. `speed` is virtual seconds per real
    second; 0 is manual, `math.inf` waits for nothing. `retention_days` are virtual (55 on the paid tier, 1 on
    the free one). `idle_exit` is real seconds without requests and runs after which the server ends.
    """

    brain: Brain | None = None
    corpus: Path | None = None
    state: Path | None = None
    speed: float = math.inf
    faults: list[Fault] = field(default_factory=list)
    scenarios: Path | None = None
    retention_days: float = 55.0
    index: Path | None = None
    idle_exit: float | None = None


class StateInUse(Exception):
    """Another server has the state file open."""


def bind(port: int) -> socket.socket:
    """Return a listening socket on this machine. `port` 0 is a free one. Raises OSError if it is taken."""
    # Named as TCP, since asyncio leaves Nagle's algorithm on otherwise: +40 ms an answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


async def serve(settings: Settings, listener: socket.socket, ready: Callable[[Callable[[], None]], None]) -> None:
    """Serve on `listener` until told to stop; `ready` is called once it serves, with the function that stops
    it.

    Raises `StateInUse`, and `Refused` for a scenario that cannot be read.
    """
    with ExitStack() as stack:
        if settings.state:
            stack.enter_context(_lock(settings.state))
        state = State(settings.state)
        stack.callback(state.close)
        documents, brain = _open(settings)
        faults = Faults(settings.faults)
        runs = Runs(state, _clock(settings.speed, state), brain, settings.retention_days)
        stopping = asyncio.Event()
        activity = Activity()
        app = create_app(runs, faults, documents, stopping, activity)
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            headers=[("server", SERVER)],
            proxy_headers=False,
            timeout_keep_alive=3600,
            timeout_graceful_shutdown=3,
        )
        server = _Server(config, stopping, lambda: ready(stopping.set))
        if settings.idle_exit is not None:
            watch = asyncio.create_task(_stop_when_idle(settings.idle_exit, runs, activity, stopping))
            stack.callback(watch.cancel)
        await server.serve(sockets=[listener])
        if not server.started:
            raise RuntimeError("the emulator could not start; its log says why")


class _Server(uvicorn.Server):
    """uvicorn's server, ended by an event at once instead of by looking at a flag ten times a second."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._ready = ready
        self._loop = asyncio.get_running_loop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await self.on_tick(0)
        if self.started:
            self._ready()

    async def main_loop(self) -> None:
        await self._stopping.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)


async def _stop_when_idle(seconds: float, runs: Runs, activity: Activity, stopping: asyncio.Event) -> None:
    while (left := activity.last + seconds - time.monotonic()) > 0:
        await asyncio.sleep(left)
        if runs.live:
            activity.now()
    stopping.set()


def _lock(path: Path) -> filelock.BaseFileLock:
    lock = filelock.FileLock(path.with_name(path.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise StateInUse(
            f"{path} is in use by another emulator: stop that one, or give this one another state file"
        ) from error
    return lock


def _clock(speed: float, state: State) -> Clock:
    """Virtual time goes on where it was: never back, and, when it is manual, not forward either."""
    was = state.virtual_time()
    if was is None:
        return Clock(speed)
    return Clock(speed, start=was if speed == 0 else max(was, time.time()))


def _open(settings: Settings) -> tuple[Documents | None, Brain]:
    documents: Corpus | None = None
    brain = settings.brain
    if brain is None or settings.corpus is not None:
        from interactions_emulator.corpus import Corpus

        documents = Corpus.open(settings.corpus, settings.index)
        brain = brain or _extractive(documents)
    if settings.scenarios is not None:
        brain = scripted(load_scenarios(settings.scenarios), brain)
    return documents, brain


def _extractive(corpus: Corpus) -> Brain:
    """The brain over a corpus, loaded when it is first asked."""

    @cache
    def brain() -> Brain:
        from interactions_emulator.brain import make_brain

        return make_brain(corpus)

    return lambda turn: brain()(turn)


class Emulator:
    """A server on a thread of this process, for tests, notebooks and applications without a key.

        with Emulator(brain=my_brain, speed=0) as api:
            client = genai.Client(api_key="any", http_options={"base_url": api.url})
            ...
            api.advance(600)

    Arguments are those of `Settings`; `faults` may be JSON objects too (see `faults`). `port` 0 is a free
    one. Inside the `with`, `url` is "http://127.0.0.1:<port>". Raises OSError if the port is taken,
    `StateInUse`, and `Refused` for a fault or scenario that cannot be read.
    """

    def __init__(
        self,
        *,
        brain: Brain | None = None,
        corpus: Path | None = None,
        state: Path | None = None,
        speed: float = math.inf,
        faults: list[Fault | dict[str, Any]] | None = None,
        port: int = 0,
        scenarios: Path | None = None,
        retention_days: float = 55.0,
        index: Path | None = None,
    ) -> None:
        rules = parse_faults(faults or [])
        self._settings = Settings(brain, corpus, state, speed, rules, scenarios, retention_days, index)
        self.port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: Callable[[], None] = lambda: None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Emulator:
        self._failure = None
        listener = bind(self.port)
        self.port = listener.getsockname()[1]
        ready = threading.Event()

        def serves(stop: Callable[[], None]) -> None:
            self._loop, self._stop = asyncio.get_running_loop(), stop
            ready.set()

        def work() -> None:
            try:
                asyncio.run(serve(self._settings, listener, serves))
            except BaseException as error:
                self._failure = error
            finally:
                listener.close()
                ready.set()

        self._thread = threading.Thread(target=work, name="interactions-emulator", daemon=True)
        self._thread.start()
        ready.wait()
        if self._failure:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving, cutting open streams. Runs stay in the state file as they are. Again is nothing."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None:
            return
        if thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop)
        thread.join()
        if self._failure:
            raise self._failure

    def faults(self, *faults: Fault | dict[str, Any]) -> None:
        """Add faults; without any, forget all."""
        if not faults:
            self._ask("DELETE", "faults")
            return
        self._ask("POST", "faults", [given(fault) for fault in parse_faults(list(faults))])

    def advance(self, seconds: float) -> None:
        """Move virtual time on; returns when each run has gone as far as that lets it."""
        self._ask("POST", "clock", {"advance": seconds})

    def set_speed(self, speed: float) -> None:
        """From now on this many virtual seconds pass in a real one; 0 is manual, `math.inf` waits for nothing."""
        self._ask("POST", "clock", {"speed": "inf" if speed == math.inf else speed})

    def log(self) -> dict[str, Any]:
        """Return {"creates": n, "requests": [...]}, as `control` describes it."""
        return dict(self._ask("GET", "log"))

    def interactions(self) -> list[dict[str, Any]]:
        """Return what is stored, oldest first, as `control` describes it."""
        return list(self._ask("GET", "interactions"))

    def _ask(self, method: str, what: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_emulator/{what}", data, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return json.load(answer)
