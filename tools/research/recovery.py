"""Resumes orphaned jobs in the background."""

from __future__ import annotations

import asyncio
import logging

from tools.research.factory import research

log = logging.getLogger(__name__)

INTERVAL_S = 20.0
"""Seconds between two reads of the ledger."""


async def recover_loop() -> None:
    """Resumes orphaned jobs at each interval, until it is cancelled."""
    while True:
        try:
            for job in await research().resume():
                log.info("%s, which nobody followed, is taken up", job.id)
        except Exception as error:  # the ledger may be readable later
            log.warning("research runs that nobody follows could not be resumed: %s", error)
        await asyncio.sleep(INTERVAL_S)
