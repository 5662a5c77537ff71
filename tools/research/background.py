"""Work in the background: repeats recovery, the start of due runs of schedules, and the sending of notices.

A process with `DESK_FOLLOW=0` does none of it, and `desk work` does nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress

from tools.research.factory import research
from tools.research.notices.delivery import deliver_loop
from tools.research.periodic import repeat_periodically
from tools.research.settings import research_settings
from tools.research.timeouts import ORDERS_INTERVAL_S, RECOVERY_INTERVAL_S
from tools.settings import load_settings

log = logging.getLogger(__name__)


async def run_background() -> None:
    """Resumes jobs, starts due runs and sends notices, until the task is cancelled. No part waits for another.

    Returns at once with `DESK_FOLLOW=0`.
    """
    if load_settings().follow:
        await asyncio.gather(
            repeat_periodically(_recover, RECOVERY_INTERVAL_S, "orphaned research runs could not be resumed"),
            repeat_periodically(_start_due, RECOVERY_INTERVAL_S, "schedules could not be read"),
            deliver_loop(),
        )


async def run_worker() -> None:
    """Does the work of `run_background`, and starts the orders that processes with `DESK_FOLLOW=0` have saved."""
    await asyncio.gather(
        run_background(), repeat_periodically(_start_unsent, ORDERS_INTERVAL_S, "new orders could not be started")
    )


@asynccontextmanager
async def background_work(work: Callable[[], Coroutine[None, None, None]] | None = None) -> AsyncIterator[None]:
    """Does `work`, by default `run_background`, while the context is open."""
    task = asyncio.create_task((work or run_background)())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _recover() -> None:
    """Resumes orphaned jobs: they need work and have no valid lease."""
    for job in await research().resume():
        log.info("%s was orphaned and is resumed", job.id)


async def _start_due() -> None:
    """Starts the runs of schedules that are due."""
    for job_id in await research().schedules.start_due(research_settings().limits):
        log.info("%s was started by its schedule", job_id)


async def _start_unsent() -> None:
    """Starts orders that no process has begun to send."""
    await research().start_unsent()
