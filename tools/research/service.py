"""The service: what agents, the command line and servers call.

A turn is not the job. A job is followed by a task of this process that no turn owns; turns watch it. When the
process dies, whoever asks next takes the job up where the ledger says it stands.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from tools.errors import DeskError
from tools.interactions.citations import replace_urls
from tools.interactions.client import ApiError, InteractionsClient, NotFound, Refused
from tools.interactions.resources import Resource
from tools.research import telemetry
from tools.research.config import Quotas
from tools.research.follow_up import ask
from tools.research.follower import FollowPolicy
from tools.research.job import ACTIVE, DAY, HAS_INTERACTION, OUTCOMES, TERMINAL, Job, Order, Plan, State, new_job
from tools.research.ledger import Ledger
from tools.research.questions import NotConfirmed, Yes
from tools.research.quotas import within, within_day
from tools.research.report.links import resolve
from tools.research.report.reading import Report, from_json, to_json
from tools.research.spending import spending_of_question
from tools.research.texts import moment
from tools.research.worker import Worker

log = logging.getLogger(__name__)

HOUR = 3_600.0
ORPHAN_AFTER_S = 15.0
"""Seconds after which an order that nobody works on is not about to be sent."""
WATCH_GRACE_S = 10.0
"""Seconds that a watcher, however little time it has, waits for the ledger."""
AUTH_STATUSES = (401, 403)
"""Statuses that are about who asks, not about what is asked."""


class UnknownJob(DeskError):
    """No such job in the ledger."""


class NotFinished(DeskError):
    """The job has no report."""


class WrongBackend(DeskError):
    """The job is another server's. The text says which."""


class NotDeleted(DeskError):
    """The server did not delete all that it has of a job. The text says what is left."""


@dataclass
class _JobTask:
    """A job that this process works on, and what it said so far."""

    task: asyncio.Task[None] | None = None
    lines: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, line: str) -> None:
        if line in self.lines[-2:]:  # also when two take turns: trouble comes with what it troubles
            return
        self.lines.append(line)
        self.changed.set()
        self.changed = asyncio.Event()


class Research:
    """Durable researches of one event loop."""

    def __init__(
        self,
        ledger: Ledger,
        client: InteractionsClient,
        *,
        policy: FollowPolicy | None = None,
        server: Callable[[], str] = lambda: "",
        retention: float = 55 * DAY,
        may_start: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Args:
        server: the name of the server that `client` talks to, see `Order.server`.
        retention: seconds for which that server keeps interactions.
        may_start: whether `resume` may send what was ordered before; not in private mode.
        """
        self.ledger = ledger
        self._client, self._server, self._clock, self._sleep = client, server, clock, sleep
        self._policy, self._retention, self._may_start = policy or FollowPolicy(), retention, may_start
        self._worker = Worker(ledger, client, self._policy, clock, sleep)
        self._runs: dict[str, _JobTask] = {}
        self._asking: set[asyncio.Task[Report]] = set()
        self._warned: set[str] = set()

    async def start(self, order: Order, *, limits: Quotas | None = None, confirm: bool = False) -> tuple[Job, bool]:
        """Takes an order. The same order again joins the job that it has, unless that one never started anything.

        Args:
            confirm: whether a person has to agree to the price first, see `approve`.

        Returns:
            The job, and whether it is new.

        Raises:
            LimitReached: the user has too much running or spent already. An order that has a job is not refused.
        """
        order = replace(order, server=self._server())
        newest = await self.newest(order)
        if newest and not newest.came_to_nothing:
            if newest.state is State.AWAITING_APPROVAL and newest.plan is None:  # a plan may be wished for by now
                order = replace(newest.order, options=order.options)
                newest = await self.ledger.rewrite(newest, self._clock(), order) or newest
            await self._ensure(newest.id)
            return newest, False
        state = State.AWAITING_APPROVAL if confirm else State.INTENDED
        return await self._add(replace(order, attempt=newest.order.attempt + 1) if newest else order, limits, state)

    async def with_base(self, job_id: str, order: Order) -> Order:
        """The order as one that builds on a finished research: on its newest follow-up, else on itself.

        Raises:
            UnknownJob, NotFinished: there is nothing to build on.
            OtherServer: another server has it.
        """
        job, _ = await self._finished(job_id, "that could be built on")
        self._check_server(job)
        return replace(order, base=job.id, previous=job.newest or "")

    async def start_again(
        self, job: Job, *, session: str = "", limits: Quotas | None = None, confirm: bool = False
    ) -> Job:
        """A new run of an old order, on purpose: it costs again. A run that is still on its way, or waits for a yes, is
        joined.

        Args:
            session: the conversation that orders it, and that it belongs to; empty: that of the old order.
            confirm: whether a person has to agree to the price first.

        Raises:
            LimitReached: see `start`.
        """
        newest = await self.newest(job.order) or job
        order = replace(newest.order, session=session or job.order.session, server=self._server())
        last = await self.newest(order)
        for known in (newest, last):
            if known and known.is_repeated_by_joining:
                return known
        order = replace(order, attempt=last.order.attempt + 1 if last else 1)
        plan = newest.plan if newest.state is State.START_UNKNOWN else None  # what was approved stays approved
        state = State.AWAITING_APPROVAL if confirm else State.INTENDED
        return (await self._add(order, limits, state, plan))[0]

    async def newest(self, order: Order) -> Job | None:
        """The last attempt at the same order at this server, if there is any."""
        first = replace(order, attempt=1, server=self._server()).key
        jobs = await self.ledger.find(user=order.user, session=order.session, limit=1000)
        same = [job for job in jobs if replace(job.order, attempt=1).key == first]
        return max(same, key=lambda job: job.order.attempt, default=None)

    async def _add(
        self, order: Order, limits: Quotas | None, state: State, plan: Plan | None = None
    ) -> tuple[Job, bool]:
        with telemetry.ordering() as trace:
            job = replace(new_job(order, self._clock(), state), plan=plan, trace=trace)
            job, new = await self.ledger.add(job, within(limits, job) if limits else None)
            telemetry.annotate(job, new)
        await self._ensure(job.id)
        return job, new

    async def approve(self, job_id: str, *, limits: Quotas | None = None, yes: Yes | None = None) -> Job:
        """Says yes to what a job waits for, its plan or its price. Saying it twice starts one research.

        Args:
            yes: the person's, which is used up if the job goes on, and not if it waits on.

        Raises:
            LimitReached: the user has too much running or spent by now; it waits on.
            NotConfirmed: the yes does not count any more, or what waits is not what it was said to; it waits on.
        """
        job = await self.job(job_id)
        plan = job.plan and replace(job.plan, reply="Go ahead.", approved=True)
        return await self._reply(job, plan, limits, yes)

    async def revise(self, job_id: str, words: str, *, limits: Quotas | None = None, yes: Yes | None = None) -> Job:
        """Asks for another plan, which costs a planning run.

        Args:
            yes: as in `approve`.

        Raises:
            NotFinished: the job has no plan.
            NotConfirmed: the yes does not count any more.
            LimitReached: it has had too many plans, or the user has too much running or spent; it waits on.
        """
        job = await self.job(job_id)
        if job.plan is None:
            raise NotFinished(f"{job_id} has no plan that could be changed: it is {job.state}")
        return await self._reply(job, replace(job.plan, reply=words), limits, yes)

    async def rewrite(self, job_id: str, brief: str, title: str = "") -> Job:
        """Gives a job whose price waits for a yes another brief; nothing was sent yet.

        Raises:
            NotFinished: it does not wait, has a plan already, or another job has this brief.
        """
        job = await self.job(job_id)
        order = replace(job.order, brief=brief, title=title or job.order.title)
        changed = await self.ledger.rewrite(job, self._clock(), order)
        if changed is None:
            raise NotFinished(f"the brief of {job_id} cannot be changed: it is {job.state}, or this is another's brief")
        return changed

    async def _reply(self, job: Job, plan: Plan | None, limits: Quotas | None, yes: Yes | None) -> Job:
        self._check_server(job)
        if yes and yes.question.version != job.version:
            raise NotConfirmed(f"{job.id} has changed since it was shown: it needs a yes of its own")
        values: dict[str, Any] = {"interaction_id": None, "cursor": None} if plan else {}
        if job.state is State.AWAITING_APPROVAL:
            check = within(limits, replace(job, plan=plan)) if limits else None
            await self.ledger.agree(job, self._clock(), check, yes, plan=plan, **values)
        return await self.job(job.id)

    async def follow_up(
        self, job_id: str, question: str, model: str, session: str = "", *, limits: Quotas | None = None
    ) -> Report:
        """A model's answer to a question about a finished research, asked in a conversation; see `asking.ask`.

        Raises:
            UnknownJob, NotFinished: there is no such report.
            OtherServer: another server has it.
            LimitReached: the user has spent too much.
            ApiError: the model could not be asked.
        """
        job, report = await self._finished(job_id, "to ask about")
        self._check_server(job)
        entry = spending_of_question(job, model, self._clock())
        await self.ledger.spend(job, entry, within_day(limits, entry) if limits else None)
        asking = asyncio.create_task(ask(self.ledger, self._client, job, report, question, model, session))
        self._asking.add(asking)  # whoever asks may be cancelled; what was answered has to be known to be forgotten
        asking.add_done_callback(self._asking.discard)
        return await asyncio.shield(asking)

    async def resolve_links(self, job_id: str, http: httpx.AsyncClient | None = None) -> Report:
        """The report with the addresses that its redirect links lead to, as far as they tell. It stays so.

        Raises:
            UnknownJob, NotFinished: there is no such report.
        """
        _, report = await self._finished(job_id, "whose links could be resolved")
        async with http or httpx.AsyncClient(timeout=10) as client:
            urls = await resolve((source.url for source in report.sources), client)
        if urls:
            text, sources = replace_urls(report.text, report.sources, urls)
            report = replace(report, text=text, sources=sources)
            await self.ledger.change(job_id, TERMINAL, self._clock(), report=to_json(report))
        return report

    async def forget(self, job_id: str, *, insist: bool = False) -> list[str]:
        """Ends a job and deletes what there is of it, at the server first.

        Args:
            insist: whether it is deleted here although something is left at a server.

        Returns:
            A receipt: a line for each thing that was deleted or that a server still has.

        Raises:
            OtherServer: another server has its interactions; it is kept.
            NotDeleted: the server refused to delete some of them; it is kept, to try again.
        """
        job = await self.cancel(job_id)
        if job.interactions and not insist:
            self._check_server(job)
        deleted, left = list[str](), list[str]()
        for interaction_id in job.interactions:
            if job.order.server != self._server():
                left.append(f"interaction {interaction_id}: left alone at {job.order.server or 'an unknown server'}")
                continue
            try:
                await self._client.delete(interaction_id)
                deleted.append(f"interaction {interaction_id}: deleted at the server")
            except NotFound:
                deleted.append(f"interaction {interaction_id}: already gone at the server")
            except ApiError as error:
                left.append(f"interaction {interaction_id}: the server refused ({error})")
        if left and not insist:
            raise NotDeleted(
                f"{job_id} is kept here, since not all of it was deleted at the server: {'; '.join(left)}. Try again,"
                f" or delete it here all the same: desk forget {job_id} --force"
            )
        await self.ledger.delete(job_id)
        return [*deleted, *left, f"{job_id}: deleted from the ledger, with its report"]

    async def resume(self) -> list[Job]:
        """Takes up every research of this server that nobody works on, whoever ordered it.

        Starts nothing but what was ordered within the hour by a process that died before it could send it.
        The server keeps what a research found for a day or some weeks, so it is fetched although nobody asks. A stalled
        one is looked at once an hour. Of a plan that waits for a yes and is about to be forgotten is warned once.

        Returns:
            What is taken up.
        """
        now, server = self._clock(), self._server()
        orphans = await self.ledger.abandoned(server, now, {State.STARTING, State.RUNNING}, now)
        if self._may_start():
            unsent = await self.ledger.abandoned(server, now, {State.INTENDED}, now - ORPHAN_AFTER_S)
            orphans += [job for job in unsent if job.updated > now - HOUR]
        for job in orphans:
            await self._ensure(job.id)
        for job in await self.ledger.abandoned(server, now, {State.STALLED}, now - HOUR):
            resource = await self._read(job.interaction_id or "")
            if resource.get("status") in OUTCOMES:
                await self._worker.finish(job, resource)
            else:
                await self.ledger.change(job.id, {State.STALLED}, now, state=State.STALLED)
        for job in await self.ledger.abandoned(server, now, {State.AWAITING_APPROVAL}, now):
            self._warn(job, now)
        return orphans

    async def on_webhook(self, interaction_id: str) -> bool:
        """A hint that an interaction has ended: its job is taken up, unless somebody works on it or it is done.

        Returns:
            Whether it was.
        """
        job = await self.ledger.of_interaction(interaction_id)
        if job is None or job.state not in HAS_INTERACTION or job.order.server != self._server():
            return False
        await self.ledger.change(job.id, {State.STALLED}, self._clock(), state=State.RUNNING)
        await self._ensure(job.id)
        return True

    def _warn(self, job: Job, now: float) -> None:
        until = job.kept_until(self._retention)
        if job.plan and until and now >= until - self._retention / 10 and job.plan.interaction_id not in self._warned:
            self._warned.add(job.plan.interaction_id)
            log.warning("%s waits for a yes to its plan, which the server keeps until %s", job.id, moment(until))

    async def watch(self, job_id: str, seconds: float | None = None) -> AsyncGenerator[str, None]:
        """Lines of progress, until the job needs nobody any more or the time is up. The job goes on either way.

        Raises:
            UnknownJob: there is no such job.
            ApiError: the server will not let us read (a bad key, say).
            OtherServer: it is not this process's server that has the job.
            TimeoutError: the ledger did not answer in that time, nor soon after.
        """
        end = None if seconds is None else asyncio.get_running_loop().time() + seconds
        async with asyncio.timeout_at(end and end + WATCH_GRACE_S):
            if (await self.job(job_id)).order.server == self._server():
                # One that the server seemed to have forgotten is worth another look when a person asks.
                await self.ledger.change(job_id, {State.EXPIRED}, self._clock(), state=State.RUNNING, finished=None)
            run = await self._ensure(job_id)
        shown = 0
        while True:
            changed = run.changed
            while shown < len(run.lines):
                yield run.lines[shown]
                shown += 1
            if run.task is None or run.task.done():
                break
            left = None if end is None else end - asyncio.get_running_loop().time()
            if left is not None and left <= 0:
                return
            waiter = asyncio.ensure_future(changed.wait())
            try:
                await asyncio.wait({waiter, run.task}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiter.cancel()
        if run.task and not run.task.cancelled():
            run.task.result()  # raises what went wrong

    async def job(self, job_id: str) -> Job:
        """The job as the ledger has it.

        Raises:
            UnknownJob: there is no such job.
        """
        job = await self.ledger.get(job_id)
        if job is None:
            raise UnknownJob(f"there is no job {job_id} in the ledger; `desk jobs` lists them")
        return job

    async def jobs(self, user: str) -> list[Job]:
        """The jobs of a user at this server, newest first."""
        server = self._server()
        return [job for job in await self.ledger.find(user=user, limit=1000) if job.order.server == server]

    async def _finished(self, job_id: str, what: str) -> tuple[Job, Report]:
        job, report = await self.job(job_id), await self.report(job_id)
        if report is None:
            raise NotFinished(f"{job_id} has no report {what}: it is {job.state}")
        return job, report

    async def report(self, job_id: str) -> Report | None:
        """What came out, if anything did."""
        text = await self.ledger.report(job_id)
        return from_json(text) if text else None

    async def cancel(self, job_id: str) -> Job:
        """Ends a job, on the server first.

        A server that refuses (seen in the field: 404 for a running interaction) is not asked again; the job is
        no longer followed and says so.
        """
        while (job := await self.job(job_id)).state not in TERMINAL:
            self._check_server(job)
            if job.state is State.STARTING:  # its id is on the way, here or elsewhere
                await self._ensure(job_id)
                await self._sleep(0.2)
                continue
            if job.state is State.INTENDED:  # it may be starting just now
                await self._stop(job_id)
            error, may_run = "", False
            if job.state is State.START_UNKNOWN:
                may_run = True
                error = f"it may have been started, and nobody can stop it without its id: {job.error}"
            elif job.state in HAS_INTERACTION and job.interaction_id:
                resource, error = await self._cancel(job.interaction_id)
                may_run = bool(error)
                if resource.get("status") in OUTCOMES.keys() - {"cancelled"}:  # it was faster than the wish
                    await self._worker.finish(job, resource)
                    continue
            now = self._clock()
            ended: dict[str, Any] = {"state": State.CANCELLED, "finished": now, "error": error, "may_run": int(may_run)}
            await self.ledger.change(job_id, {job.state}, now, **ended)
        await self._stop(job_id)
        return job

    async def _cancel(self, interaction_id: str) -> tuple[Resource, str]:
        """Asks the server to end an interaction: what has become of it, and why the server would not, if so.

        Raises:
            ApiError: the server could not be asked.
        """
        try:
            return await self._client.cancel(interaction_id), ""
        except ApiError as failure:
            if not isinstance(failure, NotFound | Refused) or failure.status in AUTH_STATUSES:
                raise ApiError(f"it could not be cancelled and goes on: {failure}") from failure
            refusal = f"the server would not cancel it, it may run on and be billed: {failure}"
            return await self._read(interaction_id), refusal

    async def _read(self, interaction_id: str) -> Resource:
        try:
            return await self._client.get(interaction_id)
        except ApiError:
            return {}

    async def close(self) -> None:
        """Stops following; the jobs go on at the server. What a model is just answering is waited for."""
        if self._asking:
            await asyncio.wait(self._asking, timeout=self._policy.create_timeout)
        for job_id in list(self._runs):
            await self._stop(job_id)
        await self.ledger.close()

    async def _stop(self, job_id: str) -> None:
        run = self._runs.pop(job_id, None)
        if run and run.task:
            run.task.cancel()
            await asyncio.gather(run.task, return_exceptions=True)

    async def _ensure(self, job_id: str) -> _JobTask:
        """The run of a job, with a task if there is something left to do for it."""
        job = await self.job(job_id)
        run = self._runs.get(job_id)
        if run is None or run.task is None or run.task.done():
            run = self._runs[job_id] = _JobTask()
            if job.state in ACTIVE:
                self._check_server(job)
                run.task = asyncio.create_task(self._worker.work(job, run.say))
        return run

    def _check_server(self, job: Job) -> None:
        if job.order.server != self._server():
            raise WrongBackend(
                f"{job.id} was given to {job.order.server or 'an unknown server'}, and this process talks to"
                f" {self._server()}: it can be reached with the settings that it was started with"
            )
