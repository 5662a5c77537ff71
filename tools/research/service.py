"""The research service, which agents, the command line and servers call.

A background task of this process follows each job; turns only watch it. If the process dies, another process resumes
the job from its state in the ledger.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import httpx2

from tools.research.api_client import InteractionsClient
from tools.research.follow_up import FollowUps
from tools.research.incoming_webhooks import IncomingWebhooks
from tools.research.job import Job
from tools.research.job_changes import JobChanges
from tools.research.job_errors import NotDeleted
from tools.research.job_interactions import JobInteractions
from tools.research.job_states import HAS_INTERACTION, STATE_OF_STATUS, TERMINAL, State
from tools.research.job_tasks import JobTasks
from tools.research.ledger import Ledger
from tools.research.order_actions import OrderActions
from tools.research.quotas import Quotas
from tools.research.recovery import Recovery
from tools.research.report.redirect_links import REDIRECT_TIMEOUT_S
from tools.research.report.report import Report
from tools.research.report_sources import resolve_links, verify_sources
from tools.research.schedules.service import Schedules
from tools.research.timeouts import WATCH_GRACE_S, ResearchTimeouts
from tools.research.verification.verifier import Verifier
from tools.research.worker import Worker
from tools.settings import DAY_S, RETENTION_DAYS

log = logging.getLogger(__name__)


class Research(OrderActions, Recovery):
    """The durable research runs of one event loop."""

    def __init__(
        self,
        ledger: Ledger,
        client: InteractionsClient,
        *,
        timeouts: ResearchTimeouts | None = None,
        server: Callable[[], str] = lambda: "",
        retention_s: float = RETENTION_DAYS * DAY_S,
        may_start: Callable[[], bool] = lambda: True,
        verifier: Verifier | None = None,
        verifies_runs: Callable[[], bool] = lambda: False,
        describer: Callable[[], tuple[str, Quotas]] = lambda: ("", Quotas()),
        follows: bool = True,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Args:
        server: the name of the server that `client` talks to, see `Order.server`.
        retention_s: seconds for which that server keeps interactions.
        may_start: returns whether `resume` may send orders that were not sent yet; false with `store: false`.
        verifier: checks the sources of reports.
        verifies_runs: returns whether the sources of a report are checked after its run.
        describer: returns the model that describes what has changed between two runs of a schedule (empty: no model is
            asked), and the limits of users.
        follows: whether this process works on jobs; if not, it leaves them to other processes, and only watches.
        """
        super().__init__(ledger, JobInteractions(client, server), JobTasks(self._work), clock, follows)
        self.changes, self._client, self._sleep = JobChanges(ledger, clock, sleep), client, sleep
        self._timeouts, self._retention_s, self._may_start = timeouts or ResearchTimeouts(), retention_s, may_start
        self._worker = Worker(ledger, self.changes, client, self._timeouts, clock, sleep, follows)
        self._describer, self._verifier, self._verifies_runs = describer, verifier or Verifier(), verifies_runs
        self.webhooks = IncomingWebhooks(
            ledger, self._worker, self._ensure, lambda: self._data.server, clock, self._timeouts
        )
        self.schedules = Schedules(ledger, client, clock, lambda: self._data.server, may_start, self._ensure)
        self.follow_ups = FollowUps(ledger, client, self._data, self.finished, clock, sleep)
        self._warned: set[str] = set()

    async def resolve_links(self, job_id: str, http: httpx2.AsyncClient | None = None) -> Report:
        """Replaces the redirect links in a report with their targets, where these are known, and saves the report.

        Raises:
            UnknownJob, NotFinished: there is no such report.
        """
        _, report = await self.finished(job_id, "whose links could be resolved")
        async with http or httpx2.AsyncClient(timeout=REDIRECT_TIMEOUT_S) as client:
            return await resolve_links(self.ledger, job_id, report, client, self._clock)

    async def verify(self, job_id: str, say: Callable[[str], None] = lambda line: None) -> Report:
        """Checks the sources of a report, and saves the checks with the report. Costs nothing, and can be repeated.

        Args:
            say: called with lines of progress.

        Raises:
            UnknownJob, NotFinished: there is no such report.
        """
        _, report = await self.finished(job_id, "whose sources could be checked")
        return await verify_sources(self.ledger, job_id, report, self._verifier, self._clock, say)

    async def _work(self, job: Job, say: Callable[[str], None]) -> None:
        """Works on a job until its end. Then says what has changed, and checks the sources of its report, if set.

        The report is saved before. If the process dies during the checks, `verify` makes them at any time.
        """
        if not await self._worker.work(job, say):
            return
        try:
            if job.order.schedule and (ended := await self.ledger.get(job.id)):
                await self.schedules.describe_changes(ended, *self._describer())
        except Exception:  # the notices are sent without the description
            log.warning("the changes of %s were not described", job.id, exc_info=True)
        try:
            if self._verifies_runs() and await self.report(job.id):
                await self.verify(job.id, say)
        except Exception:  # the report is shown in any case
            log.warning(
                "the sources of %s were not checked: `desk verify %s` tries again", job.id, job.id, exc_info=True
            )

    async def forget(self, job_id: str, *, force: bool = False) -> list[str]:
        """Cancels a job and deletes its data, at the server first.

        A plan stays at the server if another attempt of the order shows it.

        Args:
            force: whether to delete the job here even if a server keeps some of its data.

        Returns:
            A receipt: one line for each thing that was deleted or that a server still has.

        Raises:
            WrongBackend: the interactions are at another server; the job is kept.
            NotDeleted: the server refused to delete some interactions; the job is kept for a retry.
        """
        job = await self.cancel(job_id)
        if job.interactions and not force:
            self._data.check(job)
        others = await self.ledger.find(user=job.order.user, limit=1000)
        shared = {id_: other.id for other in others if other.id != job.id for id_ in other.interactions}
        deleted, left = await self._data.delete(job, shared)
        if left and not force:
            raise NotDeleted(
                f"{job_id} is kept here, since not all of it was deleted at the server: {'; '.join(left)}. Try again,"
                f" or delete it only here: desk forget {job_id} --force"
            )
        await self.ledger.delete(job_id)
        return [*deleted, *left, f"{job_id}: deleted from the ledger, with its report"]

    async def watch(self, job_id: str, seconds: float | None = None) -> AsyncGenerator[str, None]:
        """Yields lines of progress until the job needs no more work, or for `seconds`. The job itself continues.

        Raises:
            UnknownJob: there is no such job.
            ApiError: the server refuses the request, for example because of a bad key.
            WrongBackend: the job belongs to another server.
            TimeoutError: the ledger did not answer within `seconds` plus `WATCH_GRACE_S`.
        """
        end = None if seconds is None else asyncio.get_running_loop().time() + seconds
        async with asyncio.timeout_at(end and end + WATCH_GRACE_S):
            if (await self.job(job_id)).order.server == self._data.server:
                # Read an expired job again when a person asks: the server may have its interaction after all.
                await self.ledger.change(job_id, {State.EXPIRED}, self._clock(), state=State.RUNNING, finished=None)
            run = await self._ensure(job_id, watched=True)
        async with aclosing(run.watch(end)) as lines:
            async for line in lines:
                yield line

    async def cancel(self, job_id: str) -> Job:
        """Cancels a job, at the server first.

        If the server refuses (seen in the field: 404 for a running interaction), the cancel is not sent again: the
        job is no longer followed, and its error says that it may still run.
        """
        while (job := await self.job(job_id)).state not in TERMINAL:
            self._data.check(job)
            if job.state is State.STARTING:  # a process is about to save the interaction's id
                await self._ensure(job_id)
                await self._sleep(0.2)
                continue
            if job.state is State.INTENDED:  # a task may be about to start it
                await self._tasks.stop(job_id)
            error, may_run = "", False
            if job.state is State.START_UNKNOWN:
                may_run = True
                error = f"it may have been started, and nobody can stop it without its id: {job.error}"
            elif job.state in HAS_INTERACTION and job.interaction_id:
                resource, error = await self._data.cancel(job.interaction_id)
                may_run = bool(error)
                if resource.get("status") in STATE_OF_STATUS.keys() - {"cancelled"}:  # it ended before the cancel
                    await self._worker.finish(job, resource)
                    continue
            now = self._clock()
            ended: dict[str, Any] = {"state": State.CANCELLED, "finished": now, "error": error, "may_run": int(may_run)}
            await self.ledger.change(job_id, {job.state}, now, **ended)
        await self._tasks.stop(job_id)
        return job

    async def close(self) -> None:
        """Waits for answers of models, stops following and closes the ledger. Jobs continue at the server."""
        await self.follow_ups.close(self._timeouts.create_timeout_s)
        await self._tasks.stop_all()
        await self.changes.close()
        await self.ledger.close()
