"""Lets a reader's reports be rendered one after another, and few at a time for all readers together."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from tools.reader_queues import FairThreads

P = ParamSpec("P")
T = TypeVar("T")
MAX_PROCESSES = 2
"""Maximum number of processes that render reports at a time, whoever asks for them."""
_THREADS = FairThreads(MAX_PROCESSES, "render")


async def queue_render(reader: str, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Calls a function that renders in a process, once fewer than `MAX_PROCESSES` of them run, and none for the reader.

    Args:
        reader: who waits for the result: a user, or all the people together who have share links of one user.
    """
    return await _THREADS.call(reader, function, *arguments, **named)
