"""Limits how many reports and lists are in memory and rendered at a time, so that no reader delays others.

A reader is a user, or all the people together who have share links of one user.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

from starlette.exceptions import HTTPException

from tools.board.limits import MAX_LOADED, MAX_REQUESTS
from tools.load_control.user_queues import UserQueues, counted


class LoadQueues:
    """The limits of a replica for one kind of content, such as reports."""

    def __init__(self) -> None:
        self._loaded = asyncio.Semaphore(MAX_LOADED)
        self._queues = UserQueues(1)
        self._requests = Counter[str]()

    def request(self, reader: str) -> AbstractContextManager[None]:
        """Counts a request while the block runs, which ends when the answer was sent; see `counted`."""
        refusal = HTTPException(429, "Too many pages are being prepared for you at this moment. Try it again.")
        return counted(self._requests, reader, MAX_REQUESTS, refusal)

    @asynccontextmanager
    async def loading(self, reader: str) -> AsyncIterator[None]:
        """Waits for a free place to load content from the ledger. The place is held while the block runs."""
        async with self._queues.of(reader), self._loaded:
            yield
