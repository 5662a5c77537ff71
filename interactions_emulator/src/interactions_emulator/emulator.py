"""Runs the emulator inside this process, for tests, notebooks and applications without a key."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from interactions_emulator.brain.protocol import Brain
from interactions_emulator.control import Control
from interactions_emulator.faults.fault import Fault
from interactions_emulator.faults.parsing import parse_faults
from interactions_emulator.http.serving import bind, run, serve
from interactions_emulator.http.settings import Settings
from interactions_emulator.limits import RETENTION_DAYS, ServerLimits
from interactions_emulator.scenarios import Source


class Emulator(Control):
    """An emulator that serves on a thread of this process.

        with Emulator(brain=my_brain, speed=0) as api:  # or `async with`
            client = genai.Client(api_key="any", http_options={"base_url": api.url})
            ...
            api.advance(600)

    The arguments are fields of `Settings` (`http/settings.py`). `faults` may also be JSON or names (`faults/`).
    `scenarios` may be the path of a YAML file, a YAML text, or a list. `port` 0 means any free port. Inside the `with`,
    `url` is "http://127.0.0.1:<port>". Raises OSError if the port or the corpus cannot be used, `JournalError` if the
    state file or the index cannot be used, `Refused` for a fault or scenario that cannot be read, and TypeError if
    `brain` is not a function.
    """

    def __init__(
        self,
        *,
        brain: Brain | None = None,
        corpus: Path | str | None = None,
        index: Path | str | None = None,
        scenarios: Source | None = None,
        state: Path | str | None = None,
        speed: float = math.inf,
        retention_days: float = RETENTION_DAYS,
        faults: list[Fault | dict[str, Any] | str] | None = None,
        webhook_hosts: Iterable[str] = (),
        token: str = "",
        limits: ServerLimits | None = None,
        port: int = 0,
    ) -> None:
        if brain is not None and not callable(brain):
            raise TypeError(
                f"brain is a function that takes a Turn, or a ModelBrain, not {brain!r}: see docs/brains.md"
            )
        self._settings = Settings(
            brain=brain,
            corpus=_path(corpus),
            index=_path(index),
            scenarios=scenarios,
            state=_path(state),
            speed=speed,
            retention_days=retention_days,
            faults=parse_faults(faults or []),
            webhook_hosts=frozenset([webhook_hosts] if isinstance(webhook_hosts, str) else webhook_hosts),
            token=token,
            limits=limits or ServerLimits(),
        )
        super().__init__(port)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: Callable[[], None] = lambda: None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def __enter__(self) -> Emulator:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Emulator:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    def start(self) -> None:
        """Serve until `close`; a second call serves on the same port as the first."""
        self._failure = None
        listener = bind(self.port)
        self.port = listener.getsockname()[1]
        ready = threading.Event()

        def on_ready(stop: Callable[[], None]) -> None:
            self._loop, self._stop = asyncio.get_running_loop(), stop
            ready.set()

        def serve_on_thread() -> None:
            try:
                run(serve(self._settings, listener, on_ready))
            except BaseException as error:
                self._failure = error
            finally:
                listener.close()
                ready.set()

        self._thread = threading.Thread(target=serve_on_thread, name="interactions-emulator", daemon=True)
        self._thread.start()
        ready.wait()
        if self._failure:
            raise self._failure

    def close(self) -> None:
        """Stop serving and cut open streams. Runs stay in the state file. A second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None:
            return
        if thread.is_alive() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop)
        thread.join()
        if self._failure:
            raise self._failure

    def restart(self) -> None:
        """Close if still open, then serve again at the same address, with the state from the state file."""
        self.close()
        self.start()


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)
