"""Limits what each reader does at a time, so that no reader delays others: further requests wait, or are refused."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar
from weakref import WeakValueDictionary

P = ParamSpec("P")
T = TypeVar("T")


class ReaderQueues:
    """Lets each reader do a few things at a time, while the reader's other requests wait.

    Args:
        at_once: how many things a reader may do at a time.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._of = WeakValueDictionary[str, asyncio.Semaphore]()

    def of(self, reader: str) -> asyncio.Semaphore:
        """Returns the reader's semaphore. It is kept as long as a request holds it or waits for it."""
        return self._of.setdefault(reader, asyncio.Semaphore(self._at_once))


class FairThreads:
    """Threads that call functions, one at a time for each reader, so that many calls of one reader delay no other.

    Args:
        threads: how many functions run at a time, for all readers together.
        name: name of the threads.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._threads, self._queues = ThreadPoolExecutor(threads, name), ReaderQueues(1)

    async def call(self, reader: str, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Calls a function in a thread, once no other call of the reader runs or waits for a thread."""
        call = partial(copy_context().run, function, *arguments, **named)
        queue, loop = self._queues.of(reader), asyncio.get_running_loop()

        def end(_: object) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(queue.release)

        await queue.acquire()
        work = self._threads.submit(call)
        work.add_done_callback(end)  # not when the caller is cancelled: the function goes on
        return await asyncio.wrap_future(work)


@contextmanager
def counted(counts: Counter[str], reader: str, maximum: int, refusal: Exception) -> Iterator[None]:
    """Counts a reader's request while the block runs.

    Raises:
        Exception: `refusal`, if `maximum` requests of this reader are under way.
    """
    if counts[reader] >= maximum:
        raise refusal
    counts[reader] += 1
    try:
        yield
    finally:
        counts -= Counter((reader,))  # leaves no entry of 0
