"""Orders research runs: a repeated order, a new attempt, a yes to a price or a plan, a change before the start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from tools.research import telemetry
from tools.research.job import Job, Plan, new_job
from tools.research.job_access import JobAccess
from tools.research.job_errors import NotFinished
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.open_questions import NotConfirmed, Yes
from tools.research.order import Order
from tools.research.quotas import Quotas, order_check, quota_check

_NOT_REUSED = frozenset({State.AWAITING_APPROVAL, State.FAILED, State.CANCELLED, State.EXPIRED})
"""A job in one of these states is not reused when another conversation places the same order."""


class OrderActions(JobAccess):
    """Orders research runs, and takes a person's reply to a price or a plan."""

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
        """Ordering an old run again, at a new cost. If a run of the order is active or waits already, returns that run.

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


async def jobs_of_same_order(ledger: Ledger, jobs: Sequence[Job], order: Order) -> AsyncIterator[Job]:
    """Yields those of some jobs whose order is the same, whatever its conversation, server and attempt.

    Reads the files of one order at a time, since they may be large.

    Args:
        jobs: jobs of the order's user, as `Ledger.find` lists them.
    """
    alike = _key(replace(order, inputs=()))
    # In a thread, because a thousand long briefs take a second.
    listed = await asyncio.to_thread(lambda: [job.id for job in jobs if _key(job.order) == alike])
    for job_id in listed:
        job = await ledger.get(job_id)
        if job and _key(job.order) == _key(order):
            yield job


async def job_of_other_session(ledger: Ledger, jobs: Sequence[Job], order: Order) -> Job | None:
    """Returns the job of the same order in another conversation; None if the order's own conversation has such a job.

    A user who has lost a conversation may order the same again in a new one, and should not pay twice.

    Args:
        jobs: the jobs of the order's user, as `Ledger.find` lists them.
    """
    found: Job | None = None
    async for job in jobs_of_same_order(ledger, jobs, order):
        if job.order.session == order.session:
            return None
        found = found or (job if job.state not in _NOT_REUSED else None)
    return found


def _key(order: Order) -> str:
    return replace(order, session="", server="", attempt=1).key
