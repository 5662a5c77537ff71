"""Counts how many calls of a function run at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Call = Callable[..., Awaitable[Any]]


class Overlaps:
    """For each counted call, in `running`, the number of tasks within one of the functions at its beginning.

    Args:
        turns: how many times a call lets other tasks go first, so that they can overlap with it.
        counts: whether a call with these keyword arguments is counted.
    """

    def __init__(self, turns: int, counts: Callable[[dict[str, Any]], bool] = lambda _: True) -> None:
        self.running = list[int]()
        self._turns, self._counts = turns, counts
        self._tasks = set[object]()

    def counted(self, call: Call) -> Call:
        """Returns the function with its calls counted."""

        async def run(*arguments: Any, **values: Any) -> Any:
            if not self._counts(values):
                return await call(*arguments, **values)
            self._tasks.add(asyncio.current_task())
            self.running.append(len(self._tasks))
            for _ in range(self._turns):
                await asyncio.sleep(0)
            try:
                return await call(*arguments, **values)
            finally:
                self._tasks.discard(asyncio.current_task())

        return run
