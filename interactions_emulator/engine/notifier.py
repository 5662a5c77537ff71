"""Waking all who wait, again and again."""

from __future__ import annotations

import asyncio


class Notifier:
    """An event that is over as soon as it has happened. For one event loop."""

    def __init__(self) -> None:
        self._next: asyncio.Event | None = None  # made for the first who waits: most beats wake nobody

    def beat(self) -> None:
        """Wake whoever waits now."""
        if self._next is not None:
            past, self._next = self._next, None
            past.set()

    async def wait(self) -> None:
        """Return at the next beat."""
        if self._next is None:
            self._next = asyncio.Event()
        await self._next.wait()
