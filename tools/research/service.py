"""The research service, which agents, the command line and servers call.

A background task of this process follows each job; turns only watch it. If the process dies, another process resumes
the job from its state in the ledger.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx2

from tools.research import telemetry
from tools.research.api_client import InteractionsClient
from tools.research.errors import NotDeleted, NotFinished, UnknownJob
from tools.research.follow_up import FollowUps
from tools.research.incoming_webhooks import IncomingWebhooks
from tools.research.job import Job, Plan, new_job
from tools.research.job_changes import JobChanges
from tools.research.job_interactions import JobInteractions
from tools.research.job_states import ACTIVE, HAS_INTERACTION, STATE_OF_STATUS, TERMINAL, State
from tools.research.job_tasks import JobTask, JobTasks
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.research.questions import NotConfirmed, Yes
from tools.research.quotas import Quotas, order_check, quota_check
from tools.research.repeated_orders import jobs_of_same_order
from tools.research.report.redirect_links import REDIRECT_TIMEOUT_S
from tools.research.report.report import Report, from_json
from tools.research.report_sources import resolve_links, verify_sources
from tools.research.schedules.service import Schedules
from tools.research.timeouts import (
    MAX_UNSENT_AGE_S,
    ORPHAN_AFTER_S,
    STALLED_CHECK_INTERVAL_S,
    WATCH_GRACE_S,
    ResearchTimeouts,
)
from tools.research.verification.verifier import Verifier
from tools.research.worker import Worker
from tools.settings import DAY_S, RETENTION_DAYS
from tools.text.time_formats import to_minute

log = logging.getLogger(__name__)


class Research:
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
        self.ledger, self.changes = ledger, JobChanges(ledger, clock, sleep)
        self._client, self._data, self._clock, self._sleep = client, JobInteractions(client, server), clock, sleep
        self._timeouts, self._retention_s, self._may_start = timeouts or ResearchTimeouts(), retention_s, may_start
        self._worker = Worker(ledger, self.changes, client, self._timeouts, clock, sleep, follows)
        self._follows, self._describer = follows, describer
        self._verifier, self._verifies_runs = verifier or Verifier(), verifies_runs
        self._tasks = JobTasks(self._work)
        self.webhooks = IncomingWebhooks(
            ledger, self._worker, self._ensure, lambda: self._data.server, clock, self._timeouts
        )
        self.schedules = Schedules(ledger, client, clock, lambda: self._data.server, may_start, self._ensure)
        self.follow_ups = FollowUps(ledger, client, self._data, self.finished, clock, sleep)
        self._warned: set[str] = set()

    async def start(self, order: Order, *, limits: Quotas | None = None, confirm: bool = False) -> tuple[Job, bool]:
        """Starts a job for an order. A repeated order gets its existing job, unless that job ended before its start.

        Args:
            confirm: whether a person has to agree to the price first, see `approve`.

        Returns:
            The job, and whether it is new.

        Raises:
            LimitReached: the user has too much running or spent. Not raised if the order already has a job.
        """
        order = replace(order, server=self._data.server)
        newest = await self.latest_attempt(order)
        if newest and not newest.ended_before_start:
            if newest.state is State.AWAITING_APPROVAL and newest.plan is None:  # the new order may ask for a plan
                order = replace(newest.order, options=order.options)
                newest = await self.ledger.rewrite(newest, self._clock(), order) or newest
            await self._ensure(newest.id)
            return newest, False
        order = replace(order, attempt=newest.order.attempt + 1) if newest else order
        return await self._add(order, limits, confirm, newest)

    async def with_base(self, job_id: str, order: Order) -> Order:
        """Returns the order, set to build on a finished run: on its newest follow-up answer, or else on its report.

        Raises:
            UnknownJob, NotFinished: there is no report to build on.
            WrongBackend: the run belongs to another server.
        """
        job, _ = await self.finished(job_id, "that could be built on")
        self._data.check(job)
        return replace(order, base=job.id, previous=job.latest_interaction_id or "")

    async def start_again(
        self,
        job: Job,
        *,
        session: str = "",
        limits: Quotas | None = None,
        confirm: bool = False,
        notify: Sequence[str] | None = None,
    ) -> Job:
        """Orders an old run again, at a new cost. If a run of the order is active or waits already, returns that run.

        Args:
            session: id of the conversation that the new run belongs to; empty: the old order's conversation.
            confirm: whether a person has to agree to the price first.
            notify: names of the targets that get notices; None: those of the old order.

        Raises:
            LimitReached: see `start`.
        """
        newest = await self.latest_attempt(job.order) or job
        order = replace(newest.order, schedule="", due=None)  # a person orders this one
        order = replace(order, session=session or job.order.session, server=self._data.server)
        order = order if notify is None else replace(order, notify=tuple(notify))
        last = await self.latest_attempt(order)
        for known in (newest, last):
            if known and known.reused_on_repeat:
                return known
        order = replace(order, attempt=last.order.attempt + 1 if last else 1)
        return (await self._add(order, limits, confirm, newest))[0]

    async def latest_attempt(self, order: Order) -> Job | None:
        """Returns the last attempt of the same order at this server; None if there is none."""
        jobs = await self.ledger.find(user=order.user, session=order.session, limit=1000)
        jobs = [job for job in jobs if job.order.server == self._data.server]
        jobs.sort(key=lambda job: job.order.attempt, reverse=True)
        return await anext(jobs_of_same_order(self.ledger, jobs, order), None)

    async def _add(self, order: Order, limits: Quotas | None, confirm: bool, earlier: Job | None) -> tuple[Job, bool]:
        """Adds a job. If it wants a plan and an earlier attempt has one, it shows that plan and waits for a yes."""
        job = new_job(order, self._clock(), State.AWAITING_APPROVAL if confirm else State.INTENDED)
        if earlier and earlier.kept_plan and job.request.plans:
            job = replace(job, plan=earlier.kept_plan, started=earlier.started, state=State.AWAITING_APPROVAL)
        with telemetry.order_span() as trace:
            job = replace(job, trace=trace)
            job, new = await self.ledger.add(job, order_check(limits, job) if limits else None)
            telemetry.annotate(job, new)
        await self._ensure(job.id)
        return job, new

    async def approve(self, job_id: str, *, limits: Quotas | None = None, yes: Yes | None = None) -> Job:
        """Approves the plan or the price that a job waits for. Approving twice starts one run.

        Args:
            yes: the person's yes; it is used up only if the job continues.

        Raises:
            LimitReached: the user has too much running or spent; the job still waits.
            NotConfirmed: the yes is no longer valid, or the job has changed since; the job still waits.
        """
        job = await self.job(job_id)
        plan = job.plan and replace(job.plan, reply="Go ahead.", approved=True)
        return await self._reply(job, plan, limits, yes)

    async def revise(self, job_id: str, changes: str, *, limits: Quotas | None = None, yes: Yes | None = None) -> Job:
        """Asks for another plan, which costs a planning run.

        Args:
            yes: as in `approve`.

        Raises:
            NotFinished: the job has no plan.
            NotConfirmed: the yes is no longer valid.
            LimitReached: the job has had too many plans, or the user has too much running or spent; the job waits.
        """
        job = await self.job(job_id)
        if job.plan is None:
            raise NotFinished(f"{job_id} has no plan that could be changed: it is {job.state.words}")
        return await self._reply(job, replace(job.plan, reply=changes), limits, yes)

    async def rewrite(self, job_id: str, brief: str, title: str = "") -> Job:
        """Replaces the brief of a job that waits for approval of its price and was not sent yet.

        Raises:
            NotFinished: the job does not wait or already has a plan, or another job has this brief.
        """
        job = await self.job(job_id)
        order = replace(job.order, brief=brief, title=title or job.order.title)
        changed = await self.ledger.rewrite(job, self._clock(), order)
        if changed is None:
            raise NotFinished(
                f"the brief of {job_id} cannot be changed: it is {job.state.words}, or another job has the new brief"
                " already"
            )
        return changed

    async def _reply(self, job: Job, plan: Plan | None, limits: Quotas | None, yes: Yes | None) -> Job:
        self._data.check(job)
        if yes and yes.question.version != job.version:
            raise NotConfirmed(f"{job.id} has changed since it was shown: it needs a new yes")
        values: dict[str, Any] = {"interaction_id": None, "cursor": None} if plan else {}
        if job.state is State.AWAITING_APPROVAL:
            check = quota_check(limits, replace(job, plan=plan)) if limits else None
            await self.ledger.approve(job, self._clock(), check, yes, plan=plan, **values)
        return await self.job(job.id)

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

    async def job(self, job_id: str) -> Job:
        """Returns the job as the ledger has it.

        Raises:
            UnknownJob: there is no such job.
        """
        job = await self.ledger.get(job_id)
        if job is None:
            raise UnknownJob(f"there is no job {job_id} in the ledger; `desk jobs` lists them")
        return job

    async def own_job(self, user: str, job_id: str, *, with_files: bool = True) -> Job | None:
        """Returns a job of a user; None if it is unknown or another user's.

        Args:
            with_files: as in `Ledger.get`.
        """
        job = await self.ledger.get(job_id, with_files=with_files)
        return job if job and job.order.user == user else None

    async def jobs(self, user: str) -> list[Job]:
        """Returns the jobs of a user at this server without their files, newest first."""
        server = self._data.server
        return [job for job in await self.ledger.find(user=user, limit=1000) if job.order.server == server]

    async def finished(self, job_id: str, what: str) -> tuple[Job, Report]:
        """Returns a job with its report.

        Args:
            what: what the report is for, such as "to ask about"; for the error's message.

        Raises:
            UnknownJob, NotFinished: there is no such report.
        """
        job, report = await self.job(job_id), await self.report(job_id)
        if report is None:
            raise NotFinished(f"{job_id} has no report {what}: it is {job.state.words}", job_id)
        return job, report

    async def report(self, job_id: str) -> Report | None:
        """Returns the report of a job; None if it has no report."""
        text = await self.ledger.report(job_id)
        return from_json(text) if text else None

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

    async def _ensure(self, job_id: str, *, watched: bool = False) -> JobTask:
        """Returns the job's task; starts one if the job is active and has none.

        A process that does not follow runs starts one only for a watcher.
        """
        job = await self.job(job_id)
        if job.state in ACTIVE and not self._tasks.is_running(job_id):
            self._data.check(job)
        if not self._follows and job.state is State.INTENDED and job.updated <= self._clock() - MAX_UNSENT_AGE_S:
            # Makes the order new again, because `start_unsent` skips older orders.
            await self.ledger.change(job_id, {State.INTENDED}, self._clock(), state=State.INTENDED)
        return self._tasks.ensure(job) if self._follows or watched else JobTask()
