"""Limits how much is in memory and is rendered at a time, such as reports, so that no reader delays others.

A reader is a user, or all the people together who have share links of one user.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from weakref import WeakValueDictionary

from starlette.exceptions import HTTPException

MAX_LOADED = 8
"""Maximum number of reports, or of lists, that are in memory for a page; at most one of them for each reader."""
MAX_PROCESSES = 2
"""Maximum number of processes that render reports at a time."""
MAX_REQUESTS = 20
"""Maximum number of a reader's requests that wait for a report, or for a list, or are being sent one."""


class LoadLimits:
    """The limits of a replica for one kind of what pages load, such as reports."""

    def __init__(self) -> None:
        self.process = asyncio.Semaphore(MAX_PROCESSES)
        """Held while a process renders a report."""
        self._loaded = asyncio.Semaphore(MAX_LOADED)
        self._turns = WeakValueDictionary[str, asyncio.Lock]()
        self._requests = Counter[str]()

    @contextmanager
    def request(self, reader: str) -> Iterator[None]:
        """Counts a request while the block runs. It ends when the answer was sent.

        Raises:
            HTTPException: status 429: too many requests of this reader are under way.
        """
        if self._requests[reader] >= MAX_REQUESTS:
            raise HTTPException(429, "Too many pages are being prepared for you at this moment. Try it again.")
        self._requests[reader] += 1
        try:
            yield
        finally:
            self._requests -= Counter((reader,))  # leaves no entry of 0

    @asynccontextmanager
    async def loading(self, reader: str) -> AsyncIterator[None]:
        """Waits until something may be read from the ledger. It is in memory while the block runs."""
        turn = self._turns.setdefault(reader, asyncio.Lock())  # kept as long as a request of the reader holds it
        async with turn, self._loaded:
            yield
