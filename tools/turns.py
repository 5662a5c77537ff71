"""Lets each reader do a few things at a time, so that no reader delays others."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary


class Turns:
    """Lets each reader do a few things at a time, while the reader's other requests wait.

    Args:
        at_once: how many things a reader may do at a time.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._of = WeakValueDictionary[str, asyncio.Semaphore]()

    def of(self, reader: str) -> asyncio.Semaphore:
        """Returns the reader's semaphore. It is kept as long as a request holds it or waits for it."""
        return self._of.setdefault(reader, asyncio.Semaphore(self._at_once))
