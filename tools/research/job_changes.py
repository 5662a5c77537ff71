"""Waits until another process changes a job. One reader, woken by `listen_notify.py`, serves all tasks of a process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

from tools.research.job import Job, JobVersion
from tools.research.ledger import Ledger
from tools.research.timeouts import CHANGES_POLL_INTERVAL_S, LEASE_EXPIRY_MARGIN_S, MAX_CHANGES_POLL_INTERVAL_S


@dataclass(eq=False)
class _Waiter:
    known: JobVersion
    until_free: bool
    woken: asyncio.Future[None]

    def wake(self, error: Exception | None = None) -> None:
        if not self.woken.done():
            self.woken.set_exception(error) if error else self.woken.set_result(None)


@dataclass
class _WatchedJob:
    waiters: set[_Waiter] = field(default_factory=set)
    lease_until: float = 0.0


class JobChanges:
    """Waits for changes of jobs in one ledger, within one event loop.

    PostgreSQL announces each change, so the reader reads only changed jobs, and all watched jobs when the first of
    their leases expires. Without notifications it reads all watched jobs each second, by one statement.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ledger, self._clock, self._sleep = ledger, clock, sleep
        self._watched: dict[str, _WatchedJob] = {}
        self._due: set[str] = set()
        self._wake = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._listener = ledger.listener(self._announced)
        self._listening: asyncio.Task[None] | None = None

    async def wait(self, job: Job, seconds: float | None = None, *, until_free: bool = False) -> None:
        """Waits until the job in the ledger differs from `job`, or is deleted, or `seconds` are over.

        Args:
            until_free: whether to return also when no process holds a valid lease on the job.

        Raises:
            Exception: one of `DATABASE_ERRORS`; the ledger cannot be read.
        """
        waiter = _Waiter(JobVersion.of(job), until_free, asyncio.get_running_loop().create_future())
        watched = self._watched.setdefault(job.id, _WatchedJob())
        watched.waiters.add(waiter)
        self._read_soon({job.id})
        self._start()
        try:
            await asyncio.wait({waiter.woken}, timeout=seconds)
            if waiter.woken.done():
                waiter.woken.result()
        finally:
            watched.waiters.discard(waiter)
            if not watched.waiters and self._watched.get(job.id) is watched:
                del self._watched[job.id]

    async def close(self) -> None:
        """Ends the reader and the connection that listens."""
        tasks = [task for task in (self._reader, self._listening) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self) -> None:
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())
        if self._listener and self._listening is None:
            self._listening = asyncio.create_task(self._listener.run())

    def _announced(self, job_id: str | None) -> None:
        self._read_soon(self._watched.keys() if job_id is None else self._watched.keys() & {job_id})

    def _read_soon(self, job_ids: Collection[str]) -> None:
        if job_ids:
            self._due.update(job_ids)
            self._wake.set()

    async def _read(self) -> None:
        """Reads jobs when they are due, until no job is watched."""
        try:
            while self._watched:
                self._wake.clear()
                due, self._due = self._due & self._watched.keys(), set()
                if due:
                    self._wake_waiters(due, await self._ledger.versions(due))
                if not await self._woken_within(self._pause_s()):
                    self._due.update(self._watched)
        except Exception as error:
            for watched in self._watched.values():
                for waiter in watched.waiters:
                    waiter.wake(error)

    def _wake_waiters(self, job_ids: Collection[str], versions: dict[str, JobVersion]) -> None:
        now = self._clock()
        for job_id in job_ids & self._watched.keys():
            watched, found = self._watched[job_id], versions.get(job_id)
            watched.lease_until = found.lease_until if found else 0.0
            for waiter in watched.waiters:
                if found != waiter.known or (waiter.until_free and watched.lease_until < now):
                    waiter.wake()

    def _pause_s(self) -> float:
        if not (self._listener and self._listener.working):
            return CHANGES_POLL_INTERVAL_S
        first_expiry = min((watched.lease_until for watched in self._watched.values()), default=0.0)
        return min(
            max(first_expiry + LEASE_EXPIRY_MARGIN_S - self._clock(), CHANGES_POLL_INTERVAL_S),
            MAX_CHANGES_POLL_INTERVAL_S,
        )

    async def _woken_within(self, seconds: float) -> bool:
        sleeping, waking = asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
            if sleeping.done():
                sleeping.result()
            return waking.done()
        finally:
            sleeping.cancel()
            waking.cancel()
