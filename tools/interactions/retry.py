"""When a request that failed is sent again: one rule for all that may be repeated without paying twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tools.interactions.client import retry_after, status_of

T = TypeVar("T")
MAX_RETRIES = 3
MAX_WAIT_S = 8.0
"""Seconds that a person may wait in silence; a server that asks for more is told of at once."""
FIRST_WAIT_S = 0.5


def retry_delay(error: BaseException, retries: int) -> float | None:
    """Seconds to wait before a request is sent again; None if it is not worth it.

    Only a server that answers, and has no time (408, 409, 429, 5xx), is asked again.

    Args:
        retries: how often it was sent again already.
    """
    status = status_of(error)
    if status is None or (status not in (408, 409, 429) and status < 500) or retries >= MAX_RETRIES:
        return None
    asked = retry_after(error)
    wait = FIRST_WAIT_S * 2**retries if asked is None else asked
    return wait if wait <= MAX_WAIT_S else None


async def retried(call: Callable[[], Awaitable[T]]) -> T:
    """The result of a call that is repeated as `retry_delay` says."""
    retries = 0
    while True:
        try:
            return await call()
        except Exception as error:
            wait = retry_delay(error, retries)
            if wait is None:
                raise
        retries += 1
        await asyncio.sleep(wait)
