"""Gives memory back to the operating system after large requests."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any
from weakref import WeakSet

LARGE_BYTES = 1_000_000
"""Bytes of a request, an answer or a turn's events after which memory is released."""
RELEASE_DELAY_S = 1.0
"""Seconds from a large request to the release, so that many of them cause one release in this time."""
_due = WeakSet[asyncio.AbstractEventLoop]()


def release_memory_soon() -> None:
    """Has `release_memory` run after `RELEASE_DELAY_S`. Needs a running event loop.

    It runs in a thread, but a garbage collection stops all threads: 10 ms in a server whose permanent objects are
    excluded (`collect_less_garbage`), more than half a second elsewhere.
    """
    loop = asyncio.get_running_loop()
    if loop not in _due:
        _due.add(loop)
        loop.call_later(RELEASE_DELAY_S, _start, loop)


def release_memory() -> None:
    """Collects objects in reference cycles, and has the C library give back what they took. Blocks.

    A turn's objects are in cycles, and the garbage collector counts objects, not their bytes: a few objects of
    gigabytes would not be collected.
    """
    gc.collect()
    _trim()(0)


def _start(loop: asyncio.AbstractEventLoop) -> None:
    _due.discard(loop)
    loop.run_in_executor(None, release_memory)


@cache
def _trim() -> Callable[[int], Any]:
    """Returns `malloc_trim` of the C library; a function that does nothing if it has none."""
    with suppress(AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return ctypes.CDLL(None).malloc_trim
    return lambda _: None
