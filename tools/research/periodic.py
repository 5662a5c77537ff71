"""Repeats work in the background, whatever fails in one round."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


async def repeat_periodically(work: Callable[[], Awaitable[None]], interval_s: float, trouble: str) -> None:
    """Does work again and again, until the task is cancelled. An error is logged, and the work is tried again.

    Args:
        interval_s: seconds between the end of one round and the beginning of the next.
        trouble: a text for the log, such as "notices could not be sent".
    """
    while True:
        try:
            await work()
        except Exception as error:  # the ledger or the configuration may be readable later
            log.warning("%s: %s", trouble, error)
        await asyncio.sleep(interval_s)
