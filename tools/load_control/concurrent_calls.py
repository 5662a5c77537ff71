"""Runs a function for many items, only some of them at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def run_each(
    call: Callable[[T], Coroutine[Any, Any, R]], items: Iterable[T], at_once: int
) -> AsyncGenerator[tuple[T, R], None]:
    """Yields each item with the result of its call, as soon as the call is done.

    Calls start in the order of the items. The next item is taken only when there is room for its call, so that `items`
    may be endless. If a call raises, or the generator is closed, the other calls are cancelled.

    Args:
        at_once: maximum number of calls at the same time.
    """
    waiting, running = iter(items), dict[asyncio.Task[R], T]()
    try:
        while True:
            for item in islice(waiting, at_once - len(running)):
                running[asyncio.create_task(call(item))] = item
            if not running:
                return
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in running if task.done()]:
                yield running.pop(task), task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
