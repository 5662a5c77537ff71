"""Resumes jobs that no process works on: orphaned runs, orders that were never sent, stalled runs."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tools.research.job import Job
from tools.research.job_access import JobAccess
from tools.research.job_states import STATE_OF_STATUS, State
from tools.research.timeouts import MAX_UNSENT_AGE_S, ORPHAN_AFTER_S, STALLED_CHECK_INTERVAL_S
from tools.research.worker import Worker
from tools.text.time_formats import to_minute

log = logging.getLogger(__name__)


class Recovery(JobAccess):
    """Resumes jobs that no process works on."""

    _worker: Worker
    _may_start: Callable[[], bool]
    _retention_s: float
    _warned: set[str]

    async def resume(self) -> list[Job]:
        """Resumes all orphaned jobs of this server, of all users.

        A job that was never sent is started only if it was ordered within the last hour. Results are fetched even if
        no user asks, because the server keeps them only for a day or some weeks. A stalled job is read once an hour.
        One warning is logged for a waiting plan that the server will soon delete.

        Returns:
            The resumed jobs.
        """
        now, server = self._clock(), self._data.server
        orphans = await self.ledger.find_orphaned(server, now, {State.STARTING, State.RUNNING}, now)
        for job in orphans:
            await self._ensure(job.id)
        orphans += await self.start_unsent(ORPHAN_AFTER_S)
        for job in await self.ledger.find_orphaned(server, now, {State.STALLED}, now - STALLED_CHECK_INTERVAL_S):
            resource = await self._data.read(job.interaction_id or "")
            if resource.get("status") in STATE_OF_STATUS:
                await self._worker.finish(job, resource)
            else:
                await self.ledger.change(job.id, {State.STALLED}, now, state=State.STALLED)
        for job in await self.ledger.find_orphaned(server, now, {State.AWAITING_APPROVAL}, now):
            self._warn(job, now)
        return orphans

    async def start_unsent(self, after_s: float = 0.0) -> list[Job]:
        """Starts the orders of this server, of all users, that no process has begun to send within the last hour.

        Args:
            after_s: seconds for which an order is left to the process that took it.

        Returns:
            The started jobs.
        """
        if not self._may_start():
            return []
        now = self._clock()
        unsent = await self.ledger.find_orphaned(self._data.server, now, {State.INTENDED}, now - after_s)
        unsent = [job for job in unsent if job.updated > now - MAX_UNSENT_AGE_S]
        for job in unsent:
            await self._ensure(job.id)
        return unsent

    def _warn(self, job: Job, now: float) -> None:
        until = job.kept_until(self._retention_s)
        if job.plan and until and now >= until - self._retention_s / 10 and job.plan.interaction_id not in self._warned:
            self._warned.add(job.plan.interaction_id)
            log.warning("%s waits for a yes to its plan, which the server keeps until %s", job.id, to_minute(until))
