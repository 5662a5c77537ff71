"""Fixtures of all tests: no provider can be reached, nothing of the user's is touched, and time is virtual."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from google.adk.agents.run_config import StreamingMode
from hypothesis import HealthCheck, settings

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Brain
from tests import caches, forks
from tests.ledger.server import NoServer, Server, postgresql
from tools.interactions import backend
from tools.interactions.endpoint import gemini_endpoint
from tools.interactions.local_emulator import index_file
from tools.interactions.transport import Transport
from tools.research.api_client import InteractionsClient
from tools.research.ledger import Ledger
from tools.research.service import Research
from tools.research.timeouts import ResearchTimeouts
from tools.research.verification.verifier import Verifier

ROOT = Path(__file__).resolve().parents[1]
pytest_plugins = ["pytester"]
LONGEST = ("evals", "faults", "deploy", "replicas", "browser", "kill", "telemetry", "serve", "wire", "node")
"""Folders of the tests that take longest."""
Later = Callable[[float], None]
SCRUBBED = ("DESK_", "GOOGLE_", "GEMINI_", "EMULATOR_", "ADK_", "K_SERVICE", "K_REVISION")
KINDS_AND_MODES = [
    ("memory", StreamingMode.SSE),
    ("sqlite", StreamingMode.NONE),
    pytest.param("memory", StreamingMode.NONE, marks=pytest.mark.nightly),
    pytest.param("sqlite", StreamingMode.SSE, marks=pytest.mark.nightly),
]
"""Kinds of sessions with streaming modes: each once in `make test`, the other pairs at night."""
MEMORY = "/dev/shm"
ROOM_BYTES = 2 * 1024**3


def _use_memory() -> None:
    """Puts temporary files into memory if it has room: a disk takes a third of the time of tests with databases."""
    with suppress(OSError):
        place = os.statvfs(MEMORY)
        if place.f_bavail * place.f_frsize >= ROOM_BYTES and not place.f_flag & os.ST_NOEXEC:
            tempfile.tempdir = os.environ["TMPDIR"] = MEMORY


def _only_this_machine(event: str, arguments: tuple[Any, ...]) -> None:
    """Raises an error when any library connects to another machine."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
        if host != "localhost" and not ipaddress.ip_address(host.split("%")[0]).is_loopback:
            raise RuntimeError(f"a test tried to connect to {arguments[1]}: tests talk to this machine only")
    if event == "socket.getaddrinfo" and not re.fullmatch(r"|localhost|::1|127\.[\d.]+", str(arguments[0] or "")):
        raise RuntimeError(f"a test tried to look up {arguments[0]!r}: tests talk to this machine only")


if "TMPDIR" not in os.environ:
    _use_memory()
sys.addaudithook(_only_this_machine)
gc.disable()  # until all modules are imported
caches.install()
for _name, _examples in (("quick", 30), ("nightly", 300)):
    settings.register_profile(
        _name, max_examples=_examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
settings.load_profile("quick")  # `make nightly` chooses the other one


def pytest_configure(config: pytest.Config) -> None:
    """Starts the process that forks, which imports when it is first asked, for all workers of a test run."""
    if config.getoption("numprocesses", None) and "PYTEST_XDIST_WORKER" not in os.environ:
        forks.share()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs the longest tests first, so that all workers end at about the same time."""
    items.sort(key=lambda item: not item.path.parent.name.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """Exempts imported modules from garbage collection, and makes it rare: it would be a quarter of the work."""
    gc.freeze()
    gc.set_threshold(20_000)
    gc.enable()


def pytest_sessionfinish() -> None:
    """Exempts what is left from garbage collection, because pytest ends with five."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder, shared by all processes of a test run. It holds only what can be created again."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> Iterator[Path]:
    """An environment without keys or settings of the user's, and a data folder of the test's own."""
    for name in list(os.environ):
        if name.startswith(SCRUBBED):
            monkeypatch.delenv(name)
    data = tmp_path / "data"
    monkeypatch.setenv("DESK_DATA_DIR", str(data))
    monkeypatch.setenv("ADK_DISABLE_LOAD_DOTENV", "1")
    monkeypatch.setenv("DESK_ASK_ABOVE_USD", "100")  # most tests start after the yes; see `asks`
    monkeypatch.setenv("DESK_REPORT_FORMATS", "none")  # a conversion would be the longest part of many tests
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):  # the guard above does not reach child processes; a dead proxy does
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    backend.current.cache_clear()
    yield data
    backend.current.cache_clear()


@pytest.fixture
def asks(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk as it is shipped: it asks before every run."""
    monkeypatch.delenv("DESK_ASK_ABOVE_USD")


@pytest.fixture(scope="session")
def index(cache: Path) -> Path:
    """The search index of the emulator's own documents, built once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        found = index_file(None)
    assert found
    return found


@pytest.fixture
def postgres(postgresql_server: Server) -> Iterator[Server]:
    """A PostgreSQL server, whose databases are emptied after the test."""
    yield postgresql_server
    postgresql_server.give_back()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """One PostgreSQL server for all tests of a process; they are skipped where there is none."""
    pytest.importorskip("asyncpg", reason="asyncpg is missing: pip install 'research-desk[postgres]'")
    try:
        with postgresql() as found:
            yield found
    except NoServer as error:
        pytest.skip(str(error))


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Points the application at a running emulator."""

    def point(api: Emulator) -> None:
        monkeypatch.setenv("DESK_BACKEND", "emulator")
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", api.url)
        backend.current.cache_clear()

    return point


@pytest.fixture
async def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Moves the event loop's clock forward by so many seconds, so that waiting timers end."""
    loop, moved = asyncio.get_running_loop(), [0.0]
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + sum(moved))
    return moved.append


class Desk:
    """A research service beside an emulator whose virtual time passes while the service waits."""

    def __init__(self, api: Emulator, ledger: Path) -> None:
        self.api, self._ledger = api, ledger
        self.services: list[Research] = []
        self.transports: list[Transport] = []

    def service(
        self,
        *,
        timeout_s: float = 60,
        clock: Callable[[], float] = time.time,
        name: str = "",
        key: str = "k",
        webhook: str = "",
        verifier: Verifier | None = None,
        follows: bool = True,
        **timeouts: float,
    ) -> Research:
        """A new service over the same ledger, as another process would have.

        Args:
            name: the service's name for the server.
            webhook: the address that the server tells of the end of a run.
            verifier: checks the sources after each run; None: nothing does.
        """
        transport = Transport(gemini_endpoint(self.api.url, key))
        self.transports.append(transport)
        service = Research(
            Ledger(f"sqlite+aiosqlite:///{self._ledger}"),
            InteractionsClient(lambda: transport, timeout_s=timeout_s, webhook_url=lambda: webhook),
            timeouts=ResearchTimeouts(**{"silence_timeout_s": 30, "create_timeout_s": 60, **timeouts}),
            clock=clock,
            sleep=self.pass_time,
            server=lambda: name,
            verifier=verifier,
            verifies_runs=lambda: verifier is not None,
            follows=follows,
        )
        self.services.append(service)
        return service

    async def pass_time(self, seconds: float) -> None:
        """Stands for sleep: the server's virtual time passes instead of real time."""
        await asyncio.to_thread(self.api.advance, seconds)

    @property
    def creates(self) -> int:
        """How many paid starts the server has accepted."""
        return int(self.api.log()["creates"])


@pytest.fixture
def brain() -> Brain:
    """A scripted research of 20 virtual minutes. A test module can replace it by a fixture of the same name."""
    from tests.scripts import research_brain

    return research_brain


@pytest.fixture
async def desk(brain: Brain, tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk over an emulator with manual time."""
    with Emulator(brain=brain, speed=0) as api:
        place = Desk(api, tmp_path / "ledger.db")
        yield place
        for service in place.services:
            await service.close()
        for transport in place.transports:
            await transport.aclose()
