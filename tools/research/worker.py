"""The worker: takes one job from its state in the ledger to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable
from contextlib import aclosing, nullcontext
from dataclasses import replace
from typing import Any

from tools.interactions.resources import Event, Resource, interaction_id_of
from tools.load_control.backoff import backoff_s
from tools.research import telemetry
from tools.research.api_client import CreateRequest, InteractionsClient
from tools.research.api_errors import ApiError, NotCreated, NotFound, OutcomeUnknown, Unavailable
from tools.research.database_errors import DATABASE_ERRORS, refuses_value
from tools.research.follower import Ended, EventReceived, Follower, Polled, Stalled, Unreachable, Warned
from tools.research.job import Job, Plan, ReportChanges
from tools.research.job_changes import JobChanges
from tools.research.job_states import ACTIVE, HAS_INTERACTION, STATE_OF_STATUS, TERMINAL, State
from tools.research.job_texts import FOLLOWED_ELSEWHERE, MAY_BE_FOUND, NEVER_SHOWN, NOT_FOLLOWED, report_context, stall
from tools.research.leases import Leases
from tools.research.ledger import Ledger
from tools.research.report.progress import progress_line, progress_lines
from tools.research.report.reading import read_report
from tools.research.report.report import Report, from_json, to_json
from tools.research.schedules.report_changes import changes_between
from tools.research.timeouts import (
    FIRST_CREATE_WAIT_S,
    FIRST_SAVE_WAIT_S,
    MAX_CREATE_ATTEMPTS,
    MAX_RETRY_AFTER_S,
    MAX_SAVE_WAIT_S,
    MIN_UPLOAD_BYTES_PER_S,
    UNSENT_WARNING_S,
    ResearchTimeouts,
)

log = logging.getLogger(__name__)

FINALIZE_CONCURRENCY = 16
"""Maximum number of finished interactions that are read and saved at the same time."""


class Worker:
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
        self._ledger, self._client, self._timeouts, self._clock, self._sleep = ledger, client, timeouts, clock, sleep
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
                await self._create(job, say)
            elif job.state is State.STARTING:  # and the process that was starting it has lost the lease
                await self._unknown(job, "the process that started it ended before the server answered")
            elif job.state in HAS_INTERACTION:
                await self._follow(job, say, None)
            telemetry.set_job(await self._ledger.get(job_id))

    async def _create(self, job: Job, say: Callable[[str], None]) -> None:
        """Sends the create request and follows its interaction. Repeats the request only if nothing was started."""
        request = job.request
        for attempt in range(1, MAX_CREATE_ATTEMPTS + 1):
            sending = asyncio.ensure_future(self._send(job, request))
            try:
                stream = await asyncio.shield(sending)
            except asyncio.CancelledError:  # save the id of a started run before stopping
                done, _ = await asyncio.wait({sending}, timeout=self._timeouts.create_timeout_s)
                for task in done:
                    if not task.cancelled() and not task.exception() and (stream := task.result()):
                        await stream.aclose()
                raise
            except NotCreated as error:
                if error.status == 404 and request.previous and not job.plan:
                    if found := await self._from_report(job, request):
                        request = found
                        await self._unsent(job)
                        say(f"the server has forgotten {job.order.base}: starting from its saved report")
                        continue
                    error = NotCreated(f"{job.order.base}, which it builds on, is forgotten here and at the server")
                plan = job.plan
                if plan and error.status == 404:
                    plan = replace(plan, interaction_id="", earlier=(*plan.earlier, plan.interaction_id))
                    error = NotCreated("the server has forgotten the plan; a new one is made if it is started again")
                wait = error.retry_after or backoff_s(attempt - 1, FIRST_CREATE_WAIT_S)
                if attempt == MAX_CREATE_ATTEMPTS or not error.retryable or wait > MAX_RETRY_AFTER_S:
                    later = f" (try again in {wait:.0f} seconds)" if error.retry_after else ""
                    kept = "; the plan is kept" if plan and plan.interaction_id else ""
                    why = f"nothing was started: {str(error).rstrip('.')}{later}{kept}"
                    await self.end(job, State.FAILED, why, refused=True, plan=plan)
                    return
                await self._unsent(job)
                say(f"nothing was started yet, trying again in {wait:.0f} s: {error}")
                await self._sleep(wait)
            else:
                if stream:
                    async with aclosing(stream):
                        if started := await self._ledger.get(job.id):
                            await self._follow(started, say, stream)
                return

    async def _from_report(self, job: Job, request: CreateRequest) -> CreateRequest | None:
        """Replaces the base's interaction in a request with the base's saved report; None if there is no report."""
        base, text = await self._ledger.get(job.order.base), await self._ledger.report(job.order.base)
        if base is None or text is None:
            return None
        texts = [report_context(from_json(text), base.follow_ups), job.order.brief]
        content = [{"type": "text", "text": text} for text in texts]
        return replace(request, input=[*content, *job.order.inputs], previous=None)

    async def _send(self, job: Job, request: CreateRequest) -> AsyncGenerator[Event, None] | None:
        """Sends one create request and saves the interaction's id as soon as an event names it.

        Returns:
            The rest of the stream; None if there is no run to follow.

        Raises:
            NotCreated: the server proved that it started nothing.
        """
        if not await self._ledger.mark_starting(job, self._clock()):
            return None  # cancelled meanwhile
        stream = self._client.create(request)
        uploads = sum(len(str(content.get("data", ""))) for content in job.order.inputs)
        seconds = self._timeouts.create_timeout_s + uploads / MIN_UPLOAD_BYTES_PER_S
        try:
            async with asyncio.timeout(seconds):
                named, cursor = await _name(stream)
        except (OutcomeUnknown, TimeoutError) as error:
            await self._unknown(job, str(error) or f"no answer in {seconds:.0f} s")
            return None
        return await self._started(job, named, cursor, stream)

    async def _started(
        self, job: Job, named: str, cursor: str | None, stream: AsyncGenerator[Event, None]
    ) -> AsyncGenerator[Event, None] | None:
        log.info("%s is interaction %s", job.id, named)
        values: dict[str, Any] = {"interaction_id": named, "started": self._clock(), "cursor": cursor, "events": 1}
        starting = {State.STARTING, State.START_UNKNOWN}
        if running := await self._persist_with_retry(job, named, starting, state=State.RUNNING, **values):
            telemetry.set_job(running)
            return stream
        known = await self._ledger.get(job.id)
        if known and known.interaction_id == named:  # a webhook's message named the interaction before the answer did
            return stream
        await stream.aclose()
        if known and known.state is not State.CANCELLED:
            warn_of_second_run(known, named)
        else:  # the job was cancelled or deleted meanwhile
            await self.cancel_started(job, named)
        return None

    async def cancel_started(self, job: Job, named: str) -> None:
        """Cancels the run of a job that was cancelled, or deleted, before the run's id was known; saves the id."""
        await self._persist_with_retry(job, named, {State.CANCELLED}, interaction_id=named)
        error = ""
        try:
            await self._client.cancel(named)
        except ApiError as refusal:
            error = f"the server would not cancel it, so it may continue and be billed: {refusal}"
        await self._ledger.change(job.id, {State.CANCELLED}, self._clock(), error=error, may_run=int(bool(error)))

    async def read(self, interaction_id: str, *, include_input: bool = False) -> Resource:
        """Reads an interaction as soon as not too many others are being read; see `InteractionsClient.get`."""
        async with self._finalize_limit:
            return await self._client.get(interaction_id, include_input=include_input)

    async def _persist_with_retry(self, job: Job, named: str, expected: Collection[State], **values: Any) -> Job | None:
        """Saves an interaction's id. Retries until the database answers, because without the id the run is lost."""
        retries = 0
        while True:
            try:
                return await self._ledger.change(job.id, expected, self._clock(), **values)
            except DATABASE_ERRORS as error:
                log.error("%s is interaction %s, and the ledger cannot be written: %s", job.id, named, error)
                if refuses_value(error):
                    raise
            await asyncio.sleep(backoff_s(retries, FIRST_SAVE_WAIT_S, MAX_SAVE_WAIT_S))
            retries += 1

    async def _unsent(self, job: Job) -> None:
        """Moves a job back to INTENDED after the server proved that its create started nothing."""
        await self._ledger.change(job.id, {State.STARTING}, self._clock(), refused=True, state=State.INTENDED)

    async def _unknown(self, job: Job, error: str) -> None:
        if self._client.has_webhook:
            error = error.removesuffix(".") + MAY_BE_FOUND
        if await self._ledger.change(job.id, {State.STARTING}, self._clock(), state=State.START_UNKNOWN, error=error):
            telemetry.record_unknown_start(job)

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

    async def finish(self, job: Job, resource: Resource) -> None:
        """Saves the result of an ended interaction: a report, a plan, or why there is neither."""
        state = STATE_OF_STATUS[resource["status"]]
        if state is State.COMPLETED and job.request.plans:
            earlier = (*job.plan.earlier, job.plan.interaction_id) if job.plan else ()
            text = (await asyncio.to_thread(read_report, resource)).text
            plan, used = Plan(text, job.interaction_id or resource["id"], earlier=earlier), resource.get("usage", {})
            waiting = {"state": State.AWAITING_APPROVAL, "plan": plan, "usage": used, "may_run": 0}
            await self._ledger.change(job.id, HAS_INTERACTION, self._clock(), **waiting)
            return
        values: dict[str, Any] = {"usage": resource.get("usage", {})}
        if state in (State.COMPLETED, State.INCOMPLETE):
            report = await asyncio.to_thread(read_report, resource)
            values["report"] = await asyncio.to_thread(to_json, report)
        if state is State.COMPLETED and job.order.schedule:
            values["changes"] = await self._changes(job, report)
        ended = "" if state is State.COMPLETED else f"the server ended it: {resource['status']}"
        await self.end(job, state, _reasons(resource) or ended, **values)

    async def _changes(self, job: Job, report: Report) -> ReportChanges | None:
        """Compares a report with that of the schedule's previous run; None if there is no previous report."""
        try:
            if before := await self._ledger.schedules.earlier_report(job):
                return await asyncio.to_thread(changes_between, *before, report)
        except Exception:  # the report is saved in any case
            log.warning("%s was not compared with the previous run", job.id, exc_info=True)
        return None

    async def end(self, job: Job, state: State, error: str, *, refused: bool = False, **values: Any) -> None:
        """Moves a job to a terminal state, unless it is in one already."""
        now = self._clock()
        values = {"may_run": 0, **values, "state": state, "error": error, "finished": now}
        await self._ledger.change(job.id, set(State) - TERMINAL, now, refused=refused, **values)


def warn_of_second_run(job: Job, second: str) -> None:
    """Logs that an interaction was started for a job that has another one or needs no interaction."""
    log.warning(
        "%s (%s, interaction %s) was started a second time, as interaction %s: perhaps a proxy sent its create request"
        " again. The second run is neither followed nor cancelled; `desk interaction %s` shows it",
        *(job.id, job.state, job.interaction_id, second, second),
    )


async def _name(stream: AsyncGenerator[Event, None]) -> tuple[str, str | None]:
    """Reads the stream up to the event that names the interaction; returns the interaction's id and the event's id.

    Raises:
        NotCreated, OutcomeUnknown: no event names an interaction.
    """
    said = ""
    try:
        async for event in stream:
            if named := interaction_id_of(event):
                return named, event.get("event_id")
            said = event.get("error", {}).get("message") or said
    except Unavailable as error:
        raise OutcomeUnknown(said or str(error)) from error
    raise OutcomeUnknown(said or "the answer ended before it named the interaction")


def _lines(read: Callable[[Event | Resource], Iterable[str | None]], source: Event | Resource) -> list[str]:
    """Returns lines of progress; none if the server's data has an unknown shape, which must not fail the job."""
    try:
        return [line for line in read(source) if line]
    except (AttributeError, KeyError, TypeError, ValueError):
        log.warning("progress of an unknown shape", exc_info=True)
        return []


def _reasons(resource: Resource) -> str:
    errors = [*resource.get("errors", ()), *([resource["error"]] if "error" in resource else [])]
    return "; ".join(error.get("message") or error.get("code", "") for error in errors)
