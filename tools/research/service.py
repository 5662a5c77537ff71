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

from tools.research.client import (
    ApiError,
    Event,
    Gone,
    InteractionsClient,
    NotCreated,
    OutcomeUnknown,
)
from tools.research.follower import Ended, Follower, Happened, Lost, Policy, Stalled
from tools.research.job import FOLLOWED, OUTCOMES, TERMINAL, Job, Order, State, new_job
from tools.research.ledger import Ledger
from tools.research.progress import progress_line
from tools.research.report import Report, from_json, read_report, to_json

log = logging.getLogger(__name__)

CREATE_TRIES = 4
"""How often a create is sent while the server proves that it started nothing and asks to come back later."""
LONGEST_WAIT = 60.0
"""Seconds that a create waits at most between two tries."""


class UnknownJob(LookupError):
    """No such job in the ledger."""


@dataclass
class _Run:
    """A job that this process works on, and what it said so far."""

    task: asyncio.Task[None] | None = None
    lines: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, line: str) -> None:
        if self.lines[-1:] == [line]:
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
        policy: Policy | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.ledger = ledger
        self._client, self._policy, self._clock, self._sleep = client, policy or Policy(), clock, sleep
        self._runs: dict[str, _Run] = {}

    async def start(self, order: Order) -> tuple[Job, bool]:
        """Takes an order. The same order again joins the job that it has, unless that one never started anything.

        Returns:
            The job, and whether it is new.
        """
        job, new = await self.ledger.add(new_job(order, self._clock()))
        if not new and job.state is State.FAILED and not job.interaction_id:
            return await self.start_again(job), True
        return job, new

    async def start_again(self, job: Job) -> Job:
        """A new run of an old order, on purpose: it costs again."""
        order, new = job.order, False
        while not new:
            order = replace(order, attempt=order.attempt + 1)
            job, new = await self.ledger.add(new_job(order, self._clock()))
        return job

    async def watch(self, job_id: str, seconds: float | None = None) -> AsyncGenerator[str, None]:
        """Lines of progress, until the job needs nobody any more or the time is up. The job goes on either way.

        Raises:
            UnknownJob: there is no such job.
            ApiError: the server will not let us read (a bad key, say).
        """
        end = None if seconds is None else asyncio.get_running_loop().time() + seconds
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

    async def report(self, job_id: str) -> Report | None:
        """What came out, if anything did."""
        text = await self.ledger.report(job_id)
        return from_json(text) if text else None

    async def cancel(self, job_id: str) -> Job:
        """Ends a job, on the server first.

        A server that refuses (seen in the field: 404 for a running interaction) is not asked again; the job is
        no longer followed and says so.
        """
        job = await self.job(job_id)
        while job.state is State.STARTING and job_id in self._runs:  # its id is on the way
            await self._sleep(0.2)
            job = await self.job(job_id)
        if job.state in TERMINAL:
            return job
        error = job.error if job.state is State.START_UNKNOWN else ""
        if job.interaction_id:
            try:
                resource = await self._client.cancel(job.interaction_id)
                if resource.get("status") == "completed":  # it was faster than the wish
                    return await self._finish(job, resource)
            except Gone as refusal:
                error = f"the server would not cancel it, it may run on and be billed: {refusal}"
            except ApiError as failure:
                raise ApiError(f"{job_id} could not be cancelled, it goes on: {failure}") from failure
        await self._stop(job_id)
        states = set(State) - TERMINAL
        now = self._clock()
        await self.ledger.change(job_id, states, now, state=State.CANCELLED, finished=now, error=error)
        return await self.job(job_id)

    async def close(self) -> None:
        """Stops following; the jobs go on at the server."""
        for job_id in list(self._runs):
            await self._stop(job_id)
        await self.ledger.close()

    async def _stop(self, job_id: str) -> None:
        run = self._runs.pop(job_id, None)
        if run and run.task:
            run.task.cancel()
            await asyncio.gather(run.task, return_exceptions=True)

    async def _ensure(self, job_id: str) -> _Run:
        """The run of a job, with a task if there is something left to do for it."""
        job = await self.job(job_id)
        run = self._runs.get(job_id)
        if run is None or (run.task is None or run.task.done()):
            run = self._runs[job_id] = _Run()
            if job.state is State.INTENDED:
                run.task = asyncio.create_task(self._work(self._create(job, run), job))
            elif job.state is State.STARTING:
                run.task = asyncio.create_task(self._work(self._await_start(job, run), job))
            elif job.state in FOLLOWED:
                run.task = asyncio.create_task(self._work(self._follow(job, run, None), job))
        return run

    async def _work(self, work: Awaitable[None], job: Job) -> None:
        try:
            await work
        except Exception:
            log.exception("%s: following it failed; it goes on at the server", job.id)
            raise

    async def _create(self, job: Job, run: _Run) -> None:
        """Sends the create once, unless the server proves that it started nothing, and follows what it started."""
        for attempt in range(1, CREATE_TRIES + 1):
            if not await self.ledger.change(job.id, {State.INTENDED}, self._clock(), state=State.STARTING):
                return await self._await_start(job, run)
            stream = self._client.create(job.order)
            try:
                async with asyncio.timeout(self._policy.create_timeout):
                    first = await anext(stream)
                return await self._started(job, run, first, stream)
            except NotCreated as error:
                if attempt == CREATE_TRIES or error.status not in (None, 429):
                    await self._end(job, State.FAILED, f"nothing was started: {error}")
                    return None
                await self.ledger.change(job.id, {State.STARTING}, self._clock(), state=State.INTENDED)
                run.say("the server is busy; nothing was started yet, trying again")
                await self._sleep(min(error.retry_after or 2.0**attempt, LONGEST_WAIT))
            except (OutcomeUnknown, TimeoutError) as error:
                await self._unknown(job, str(error) or f"no answer in {self._policy.create_timeout:.0f} s")
                return None
        return None

    async def _started(self, job: Job, run: _Run, first: Event, stream: AsyncGenerator[Event, None]) -> None:
        named = (first.get("interaction") or {}).get("id") or first.get("interaction_id")
        if not named:
            return await self._unknown(job, "the first event did not name the interaction")
        values = {"interaction_id": named, "cursor": first.get("event_id"), "events": 1}
        starting = {State.STARTING, State.START_UNKNOWN}
        running = await self.ledger.change(job.id, starting, self._clock(), state=State.RUNNING, **values)
        if running:
            await self._follow(running, run, stream)
        return None

    async def _unknown(self, job: Job, error: str) -> None:
        await self.ledger.change(job.id, {State.STARTING}, self._clock(), state=State.START_UNKNOWN, error=error)

    async def _await_start(self, job: Job, run: _Run) -> None:
        """Another process is starting the job, or died doing so: which of the two, time tells."""
        run.say("waiting to hear whether the research was started")
        job = await self.job(job.id)
        while job.state in (State.STARTING, State.INTENDED):
            if self._clock() - job.updated > self._policy.create_timeout + 5:
                await self._unknown(job, "the process that started it ended before it heard from the server")
            await self._sleep(1)
            job = await self.job(job.id)
        if job.state in FOLLOWED:
            await self._follow(job, run, None)

    async def _follow(self, job: Job, run: _Run, stream: AsyncGenerator[Event, None] | None) -> None:
        assert job.interaction_id
        follower = Follower(self._client, job.interaction_id, cursor=job.cursor, policy=self._policy, sleep=self._sleep)
        events = job.events
        async for step in follower.follow(stream):
            match step:
                case Happened(event, cursor):
                    events += 1
                    line = progress_line(event)
                    if line:
                        await self.ledger.change(
                            job.id, FOLLOWED, self._clock(), state=State.RUNNING, cursor=cursor, events=events
                        )
                        run.say(line)
                case Ended(resource):
                    await self._finish(job, resource)
                case Stalled(resource):
                    status = (resource or {}).get("status", "not readable")
                    text = f"no news for {self._policy.stall_after / 60:.0f} minutes; the server says: {status}"
                    await self.ledger.change(job.id, FOLLOWED, self._clock(), state=State.STALLED, error=text)
                case Lost(error):
                    if isinstance(error, Gone):
                        await self._end(job, State.EXPIRED, "the server no longer knows this research")
                    else:
                        raise error  # a bad key is not the research's fault: it can be read with a good one

    async def _finish(self, job: Job, resource: object) -> Job:
        assert isinstance(resource, dict)
        state = OUTCOMES[resource["status"]]
        values: dict[str, object] = {"usage": resource.get("usage") or {}}
        if state in (State.COMPLETED, State.INCOMPLETE):
            values["report"] = to_json(read_report(resource))
        errors = resource.get("errors") or []
        error = "; ".join(str(e.get("message") or e.get("code")) for e in errors) or (
            "" if state is State.COMPLETED else f"the server ended it: {resource['status']}"
        )
        return await self._end(job, state, error, **values)

    async def _end(self, job: Job, state: State, error: str, **values: object) -> Job:
        now = self._clock()
        await self.ledger.change(job.id, set(State) - TERMINAL, now, state=state, error=error, finished=now, **values)
        return await self.job(job.id)
