"""The start of a run: sends the create request, again only if nothing was started, and saves the run's id."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from dataclasses import replace
from typing import Any

from tools.interactions.resources import Event, interaction_id_of
from tools.load_control.backoff import backoff_s
from tools.research import telemetry
from tools.research.api_client import CreateRequest, InteractionsClient
from tools.research.api_errors import ApiError, NotCreated, OutcomeUnknown, Unavailable
from tools.research.database_errors import DATABASE_ERRORS, refuses_value
from tools.research.job import Job
from tools.research.job_states import State
from tools.research.job_texts import MAY_BE_FOUND, report_context
from tools.research.ledger import Ledger
from tools.research.report.report import from_json
from tools.research.run_end import RunEnd
from tools.research.timeouts import (
    FIRST_CREATE_WAIT_S,
    FIRST_SAVE_WAIT_S,
    MAX_CREATE_ATTEMPTS,
    MAX_RETRY_AFTER_S,
    MAX_SAVE_WAIT_S,
    MIN_UPLOAD_BYTES_PER_S,
    ResearchTimeouts,
)

log = logging.getLogger(__name__)


class RunStart(RunEnd):
    """Starts the runs of jobs."""

    def __init__(
        self,
        ledger: Ledger,
        client: InteractionsClient,
        timeouts: ResearchTimeouts,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        super().__init__(ledger, clock)
        self._client, self._timeouts, self._sleep = client, timeouts, sleep

    async def create(self, job: Job, say: Callable[[str], None]) -> AsyncGenerator[Event, None] | None:
        """Sends the create request. Repeats it only if nothing was started.

        Returns:
            The rest of the stream; None if there is no run to follow.
        """
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
                    return None
                await self._unsent(job)
                say(f"nothing was started yet, trying again in {wait:.0f} s: {error}")
                await self._sleep(wait)
            else:
                return stream
        return None

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
            await self.unknown(job, str(error) or f"no answer in {seconds:.0f} s")
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

    async def unknown(self, job: Job, error: str) -> None:
        if self._client.has_webhook:
            error = error.removesuffix(".") + MAY_BE_FOUND
        if await self._ledger.change(job.id, {State.STARTING}, self._clock(), state=State.START_UNKNOWN, error=error):
            telemetry.record_unknown_start(job)


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


def warn_of_second_run(job: Job, second: str) -> None:
    """Logs that an interaction was started for a job that has another one or needs no interaction."""
    log.warning(
        "%s (%s, interaction %s) was started a second time, as interaction %s: perhaps a proxy sent its create request"
        " again. The second run is neither followed nor cancelled; `desk interaction %s` shows it",
        *(job.id, job.state, job.interaction_id, second, second),
    )
