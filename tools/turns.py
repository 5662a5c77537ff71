"""Limits what each reader does at a time, so that no reader delays others: further requests wait, or are refused."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def counted(counts: Counter[str], reader: str, maximum: int, refusal: Exception) -> Iterator[None]:
    """Counts a reader's request while the block runs.

    Raises:
        Exception: `refusal`, if `maximum` requests of this reader are under way.
    """
    if counts[reader] >= maximum:
        raise refusal
    counts[reader] += 1
    try:
        yield
    finally:
        counts -= Counter((reader,))  # leaves no entry of 0
