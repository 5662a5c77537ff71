"""Waking all who wait, again and again."""

from __future__ import annotations

import asyncio


class Pulse:
    """An event that is over as soon as it has happened. For one event loop."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def beat(self) -> None:
        """Wake whoever waits now."""
        past, self._next = self._next, asyncio.Event()
        past.set()

    async def wait(self) -> None:
        """Return at the next beat."""
        await self._next.wait()
