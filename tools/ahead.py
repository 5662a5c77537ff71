"""What a first turn needs and a start does not: imported while the user types, or before a server serves."""

from __future__ import annotations

import atexit
import importlib
import os
import threading
import time
from contextlib import suppress
from functools import cache

from tools.tuning import settle

MODULES = (
    "google.adk.agents._agent_router",
    "google.adk.workflow._workflow",
    "google.adk.agents.remote_a2a_agent",  # where there is an A2A SDK, ADK 2.13 looks at each agent whether it is one
    "google.adk.flows.llm_flows.auto_flow",
    "tools.sdk",  # google-genai's interactions
    "httpcore",
    "google.genai._gaos.google_genai",
    "anyio._backends._asyncio",
    "tools.researcher.showing",
)
"""In the order in which a turn comes to them: one that begins meanwhile waits for the module that is being imported,
and never holds one that the thread waits for. ADK's and google-genai's names are those of 2.13 and 2.34."""
PAUSE = 0.2
"""Seconds that a process has to be idle before it imports what it may need later."""
IDLE = 0.05
"""Share of a processor that counts as idle."""
PATIENCE = 5.0
"""Seconds after which it imports all the same."""

_importing = threading.RLock()
"""Held while a module is imported: no process may be forked or end meanwhile."""


@cache
def import_when_idle() -> None:
    """Lets a thread import it as soon as this process has nothing to do but wait, for a first message say."""
    if hasattr(os, "register_at_fork"):  # a child would wait for ever for a module that only its parent imports
        os.register_at_fork(
            before=_importing.acquire, after_in_parent=_importing.release, after_in_child=_importing.release
        )
    atexit.register(_importing.acquire)  # a thread that ends within a module of C++ or Rust takes the process with it
    threading.Thread(target=_wait_and_import, name="import-ahead", daemon=True).start()


def import_now() -> None:
    """Imports it now. What cannot be imported is left to whoever needs it, and can say what for."""
    for name in MODULES:
        with _importing, suppress(Exception):
            importlib.import_module(name)


def _wait_and_import() -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and not _idle():
        pass
    import_now()
    settle()


def _idle() -> bool:
    """Whether the process has let a moment pass, and was not kept from its work by others."""
    began, used = time.monotonic(), time.process_time()
    time.sleep(PAUSE)
    return time.process_time() - used < PAUSE * IDLE and time.monotonic() - began < PAUSE * 1.2
