"""The leases of this process on jobs. One statement renews all of them."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tools.research.database_errors import DATABASE_ERRORS
from tools.research.ledger import Ledger

log = logging.getLogger(__name__)


class Leases:
    """Leases on jobs, so that only one process works on each job.

    Args:
        clock: returns seconds since the epoch.
        seconds: how long a lease is valid without renewal.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], float], seconds: float) -> None:
        self._ledger, self._clock, self._seconds = ledger, clock, seconds
        self.owner = f"{platform.node()}/{os.getpid()}/{secrets.token_hex(4)}"
        """Name of this process in leases."""
        self._lost: dict[str, asyncio.Event] = {}
        self._renewing: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def hold(self, job_id: str) -> AsyncIterator[asyncio.Event | None]:
        """Holds the lease on a job. Yields an event that is set when the lease is lost.

        The event is also set if this process was suspended for longer than the lease and another process took the job.
        Yields None if another process holds the lease, or the job needs no work.
        """
        if not await self._ledger.take_lease(job_id, self.owner, self._clock(), self._seconds):
            yield None
            return
        lost = self._lost[job_id] = asyncio.Event()
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
        try:
            yield lost
        finally:
            if self._lost.get(job_id) is lost:
                del self._lost[job_id]
            if not self._lost and self._renewing:
                self._renewing.cancel()
                self._renewing = None
            await self._ledger.release_lease(job_id, self.owner)

    async def _renew(self) -> None:
        now = asyncio.get_running_loop().time
        valid = now() + self._seconds
        while True:
            await asyncio.sleep(self._seconds / 3)
            held = dict(self._lost)
            try:
                kept = await self._ledger.renew_leases(self.owner, self._clock(), self._seconds)
                valid = now() + self._seconds
            except DATABASE_ERRORS as error:
                log.warning("leases on %d jobs could not be renewed: %s", len(held), error)
                kept = set(held) if now() < valid else set()
            for job_id in held.keys() - kept:
                held[job_id].set()
