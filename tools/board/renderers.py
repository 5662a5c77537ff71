"""Limits how many reports are rendered at a time, so that no reader delays others.

A reader is a user, or all the people together who have share links of one user.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from starlette.exceptions import HTTPException

MAX_AT_ONCE = 2
"""Maximum number of processes that render reports at a time; at most one of them works for the same reader."""
MAX_WAITING = 20
"""Maximum number of requests of a reader that render or wait for it."""


class Renderers:
    """The processes of a replica that render reports."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(MAX_AT_ONCE)
        self._turns = WeakValueDictionary[str, asyncio.Lock]()
        self._waiting = Counter[str]()

    @asynccontextmanager
    async def hold(self, reader: str) -> AsyncIterator[None]:
        """Waits until a process may be started for a reader, and counts it while the block runs.

        Raises:
            HTTPException: status 429: too many requests of this reader wait already.
        """
        if self._waiting[reader] >= MAX_WAITING:
            raise HTTPException(429, "Too many reports are being prepared for you at this moment. Try it again.")
        self._waiting[reader] += 1
        turn = self._turns.setdefault(reader, asyncio.Lock())  # kept as long as a request of the reader holds it
        try:
            async with turn, self._free:
                yield
        finally:
            self._waiting -= Counter((reader,))  # leaves no entry of 0
