"""Wakes all waiting tasks, any number of times."""

from __future__ import annotations

import asyncio


class Notifier:
    """An event without memory: `notify_all` wakes only the tasks that are waiting. Works within one event loop."""

    _next: asyncio.Event | None = None
    """Created by the first waiter, since most notifications wake nobody."""

    def notify_all(self) -> None:
        """Wake all tasks that wait now."""
        if self._next is not None:
            past, self._next = self._next, None
            past.set()

    async def wait(self) -> None:
        """Return at the next notification."""
        if self._next is None:
            self._next = asyncio.Event()
        await self._next.wait()
