"""Work in the background: resumes orphaned jobs, which need work and have no valid lease, and sends notices."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tools.research.factory import research
from tools.research.notices.delivery import deliver_loop

log = logging.getLogger(__name__)

INTERVAL_S = 20.0
"""Seconds between two searches of the ledger for orphaned jobs."""


async def run_background() -> None:
    """Resumes orphaned jobs and sends notices, until the task is cancelled. Neither waits for the other."""
    await asyncio.gather(recover_loop(), deliver_loop())


@asynccontextmanager
async def background_work() -> AsyncIterator[None]:
    """Does `run_background` while the context is open."""
    task = asyncio.create_task(run_background())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def recover_loop() -> None:
    """Resumes orphaned jobs every `INTERVAL_S` seconds, until the task is cancelled."""
    while True:
        try:
            for job in await research().resume():
                log.info("%s was orphaned and is resumed", job.id)
        except Exception as error:  # the ledger may be readable later
            log.warning("orphaned research runs could not be resumed: %s", error)
        await asyncio.sleep(INTERVAL_S)
