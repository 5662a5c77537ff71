"""Lets a coroutine finish even if its caller is cancelled."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_under_way: set[asyncio.Task[Any]] = set()
"""Running calls of all event loops. References are needed, because a loop keeps only weak ones to its tasks."""


def shielded(function: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Decorates a coroutine function: a call that has started runs to its end even if its caller is cancelled.

    A cancelled database statement stops half-way and keeps SQLite's lock until its connection is garbage-collected. In
    an anyio cancel scope, which Starlette opens for each streamed response, even the rollback is cancelled.
    """

    @functools.wraps(function)
    async def finish(*args: P.args, **kwargs: P.kwargs) -> R:
        if asyncio.current_task() in _under_way:  # nobody cancels this task, so it needs no further one
            return await function(*args, **kwargs)
        task = asyncio.ensure_future(function(*args, **kwargs))
        _under_way.add(task)
        task.add_done_callback(_under_way.discard)
        return await asyncio.shield(task)

    return finish


async def finish_shielded() -> None:
    """Waits for all shielded calls of the running event loop, ignoring errors. Call it before closing connections.

    Cancelling this wait cancels none of the calls.
    """
    loop, own = asyncio.get_running_loop(), asyncio.current_task()
    if tasks := [task for task in _under_way if task.get_loop() is loop and task is not own]:
        await asyncio.wait(tasks)
