"""Retries failed requests: one rule for all requests that can be repeated without paying twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tools.interactions.errors import retry_after, status_of
from tools.load_control.backoff import backoff_s, spread_wait

T = TypeVar("T")
MAX_RETRIES = 3
"""Maximum number of further tries after a first one that failed."""
MAX_RETRY_WAIT_S = 8.0
"""Maximum pause before a retry, in seconds; if the server asks for more, the call fails at once."""
FIRST_WAIT_S = 0.5


def retry_delay(error: BaseException, retries: int) -> float | None:
    """Returns the seconds to wait before a retry; None if there should be no retry.

    A request is retried only if the server answers that it is busy or failing (408, 409, 429, 5xx).

    Args:
        retries: number of retries so far.
    """
    status = status_of(error)
    if status is None or (status not in (408, 409, 429) and status < 500) or retries >= MAX_RETRIES:
        return None
    asked = retry_after(error)
    if asked is not None and asked > MAX_RETRY_WAIT_S:
        return None
    return spread_wait(backoff_s(retries, FIRST_WAIT_S) if asked is None else 0.0, asked or 0.0, random.random())


async def call_with_retries(call: Callable[[], Awaitable[T]]) -> T:
    """Makes a call, with retries as `retry_delay` says, and returns its result."""
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
