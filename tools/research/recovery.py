"""Work in the background: resumes orphaned jobs, starts the runs of schedules that are due, and sends notices."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tools.research.config import research_settings
from tools.research.factory import research
from tools.research.notices.delivery import deliver_loop

log = logging.getLogger(__name__)

INTERVAL_S = 20.0
"""Seconds between two searches of the ledger for orphaned jobs, and for schedules that are due."""


async def run_background() -> None:
    """Does the work in the background until the task is cancelled. No part of it waits for another."""
    await asyncio.gather(recover_loop(), schedule_loop(), deliver_loop())


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
    """Resumes orphaned jobs every `INTERVAL_S` seconds, until the task is cancelled.

    An orphaned job needs work and has no valid lease.
    """
    while True:
        try:
            for job in await research().resume():
                log.info("%s was orphaned and is resumed", job.id)
        except Exception as error:  # the ledger may be readable later
            log.warning("orphaned research runs could not be resumed: %s", error)
        await asyncio.sleep(INTERVAL_S)


async def schedule_loop() -> None:
    """Starts the runs of schedules that are due every `INTERVAL_S` seconds, until the task is cancelled."""
    while True:
        try:
            for job_id in await research().schedules.start_due(research_settings().limits):
                log.info("%s was started by its schedule", job_id)
        except Exception as error:  # the ledger or the configuration may be readable later
            log.warning("schedules could not be read: %s", error)
        await asyncio.sleep(INTERVAL_S)
