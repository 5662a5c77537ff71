"""Limits what each user does at a time, so that no user delays others: further requests wait, or are refused."""

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


class UserQueues:
    """Lets each user do a few things at a time, while the user's other requests wait.

    Args:
        at_once: how many things a user may do at a time.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._of = WeakValueDictionary[str, asyncio.Semaphore]()

    def of(self, user: str) -> asyncio.Semaphore:
        """Returns the user's semaphore. It is kept as long as a request holds it or waits for it."""
        return self._of.setdefault(user, asyncio.Semaphore(self._at_once))


class FairUserThreads:
    """Threads that call functions, one at a time for each user, so that many calls of one user delay no other.

    Args:
        threads: how many functions run at a time, for all users together.
        name: name of the threads.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._threads, self._queues = ThreadPoolExecutor(threads, name), UserQueues(1)

    async def call(self, user: str, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Calls a function in a thread, once no other call of the user runs or waits for a thread."""
        call = partial(copy_context().run, function, *arguments, **named)
        queue, loop = self._queues.of(user), asyncio.get_running_loop()

        def end(_: object) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(queue.release)

        await queue.acquire()
        work = self._threads.submit(call)
        work.add_done_callback(end)  # not when the caller is cancelled: the function goes on
        return await asyncio.wrap_future(work)


@contextmanager
def counted(counts: Counter[str], user: str, maximum: int, refusal: Exception) -> Iterator[None]:
    """Counts a user's request while the block runs.

    Raises:
        Exception: `refusal`, if `maximum` requests of this user are under way.
    """
    if counts[user] >= maximum:
        raise refusal
    counts[user] += 1
    try:
        yield
    finally:
        counts -= Counter((user,))  # leaves no entry of 0
