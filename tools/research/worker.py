"""The worker: takes one job from its state in the ledger to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing, nullcontext

from tools.interactions.resources import Event, Resource
from tools.research import telemetry
from tools.research.api_client import InteractionsClient
from tools.research.api_errors import ApiError, NotFound
from tools.research.database_errors import DATABASE_ERRORS
from tools.research.follower import Ended, EventReceived, Follower, Polled, Stalled, Unreachable, Warned
from tools.research.job import Job
from tools.research.job_changes import JobChanges
from tools.research.job_states import ACTIVE, HAS_INTERACTION, State
from tools.research.job_texts import FOLLOWED_ELSEWHERE, NEVER_SHOWN, NOT_FOLLOWED, stall
from tools.research.leases import Leases
from tools.research.ledger import Ledger
from tools.research.report.progress import progress_line, progress_lines
from tools.research.run_start import RunStart
from tools.research.timeouts import UNSENT_WARNING_S, ResearchTimeouts

log = logging.getLogger(__name__)

FINALIZE_CONCURRENCY = 16
"""Maximum number of finished interactions that are read and saved at the same time."""


class Worker(RunStart):
    """Works on jobs, each under a lease, so that only one process works on a job."""

    def __init__(
        self,
        ledger: Ledger,
        changes: JobChanges,
        client: InteractionsClient,
        timeouts: ResearchTimeouts,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        follows: bool,
    ) -> None:
        """Args:
        follows: whether this process works on jobs; if not, it only watches the work of others.
        """
        super().__init__(ledger, client, timeouts, clock, sleep)
        self._follows = follows
        self.leases = Leases(ledger, clock, timeouts.lease_s)
        self._job_changes = changes
        self._finalize_limit = asyncio.Semaphore(FINALIZE_CONCURRENCY)

    async def work(self, job: Job, say: Callable[[str], None]) -> bool:
        """Works on a job until its end. While another process holds the lease, passes on the lines that it finds saved.

        A process that does not follow runs takes no lease.

        Returns:
            Whether this process did the last of the work.
        """
        mine = False
        said = set(await self._ledger.lines(job))

        def tell(line: str) -> None:
            said.add(line)
            say(line)

        async def tell_saved(known: Job) -> None:
            for line in await self._ledger.lines(known):
                if line not in said:
                    tell(line)

        while job.state in ACTIVE:
            async with self.leases.hold(job.id) if self._follows else nullcontext() as leased:
                if leased:
                    if known := await self._ledger.get(job.id):
                        await tell_saved(known)  # before the lines that follow them
                    await self._work_until(leased, job.id, tell)
            mine = leased is not None
            if not leased:
                unsent = not self._follows and job.state is State.INTENDED
                if not unsent:
                    tell(FOLLOWED_ELSEWHERE)
                elif self._clock() - job.updated >= UNSENT_WARNING_S:
                    tell(NOT_FOLLOWED)
                await self._job_changes.wait(job, UNSENT_WARNING_S if unsent else None, until_free=self._follows)
            known = await self._ledger.get(job.id)
            if known is None or (leased and known.state is State.STALLED):  # deleted, or stalled
                return False
            if known.line != job.line:
                await tell_saved(known)
            job = known
        return mine

    async def _work_until(self, lost: asyncio.Event, job_id: str, say: Callable[[str], None]) -> None:
        """Works until the work is done, or until another process takes or ends the job, so that the lease is lost."""
        working, losing = asyncio.create_task(self._work(job_id, say)), asyncio.create_task(lost.wait())
        try:
            await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        except Exception as error:
            expected = isinstance(error, (ApiError, *DATABASE_ERRORS))  # their texts need no traceback
            log.error("%s: following it failed: %s; it goes on at the server", job_id, error, exc_info=not expected)
            raise
        finally:
            working.cancel()
            losing.cancel()
            await asyncio.gather(working, losing, return_exceptions=True)

    async def _work(self, job_id: str, say: Callable[[str], None]) -> None:
        job = await self._ledger.get(job_id)
        if job is None:
            return
        with telemetry.follow_span(job):
            if job.state is State.INTENDED:
                if stream := await self.create(job, say):
                    async with aclosing(stream):
                        if started := await self._ledger.get(job.id):
                            await self._follow(started, say, stream)
            elif job.state is State.STARTING:  # and the process that was starting it has lost the lease
                await self.unknown(job, "the process that started it ended before the server answered")
            elif job.state in HAS_INTERACTION:
                await self._follow(job, say, None)
            telemetry.set_job(await self._ledger.get(job_id))

    async def read(self, interaction_id: str, *, include_input: bool = False) -> Resource:
        """Reads an interaction as soon as not too many others are being read; see `InteractionsClient.get`."""
        async with self._finalize_limit:
            return await self._client.get(interaction_id, include_input=include_input)

    async def _follow(self, job: Job, say: Callable[[str], None], stream: AsyncGenerator[Event, None] | None) -> None:
        if job.interaction_id is None:  # another process has answered its plan meanwhile
            return
        follower = Follower(
            self._client,
            job.interaction_id,
            cursor=job.cursor,
            timeouts=self._timeouts,
            sleep=self._sleep,
            on_attach=telemetry.record_resume,
            finalize_limit=self._finalize_limit,
        )
        shown, events, cursor = set(await self._ledger.lines(job)), job.events, job.cursor
        async with aclosing(follower.follow(stream)) as steps:
            async for step in steps:
                lines: list[str] = []
                match step:
                    case EventReceived(event, cursor):
                        events += 1
                        telemetry.set_events(events)
                        lines = _lines(lambda event: [progress_line(event)], event)
                    case Polled(resource):
                        lines = _lines(progress_lines, resource)
                    case Warned(text):
                        say(text)
                    case Ended(resource):
                        await self.finish(job, resource)
                    case Stalled(resource, seconds):
                        now = self._clock()
                        why = stall(job, resource, seconds, now)
                        if await self._ledger.change(job.id, HAS_INTERACTION, now, state=State.STALLED, error=why):
                            telemetry.record_stall(job)
                    case Unreachable(error, never_read):
                        if not isinstance(error, NotFound):
                            raise error  # do not fail the job: with another key it may be readable
                        recent = job.may_run or self._clock() - (job.started or 0) < self._timeouts.stall_after_s
                        if never_read and recent and not shown:
                            await self.end(job, State.EXPIRED, NEVER_SHOWN, may_run=1)
                        else:
                            await self.end(job, State.EXPIRED, "the server no longer has this research run")
                for line in lines:
                    if line not in shown:  # a restart, re-attach or poll may bring a line again
                        shown.add(line)
                        if not await self._ledger.append_progress(
                            job, self.leases.owner, self._clock(), line, cursor, events
                        ):
                            return  # cancelled, deleted, or lease lost
                        say(line)


def _lines(read: Callable[[Event | Resource], Iterable[str | None]], source: Event | Resource) -> list[str]:
    """Returns lines of progress; none if the server's data has an unknown shape, which must not fail the job."""
    try:
        return [line for line in read(source) if line]
    except (AttributeError, KeyError, TypeError, ValueError):
        log.warning("progress of an unknown shape", exc_info=True)
        return []
