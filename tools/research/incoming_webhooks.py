"""Handles webhook messages about runs: goes on with the job, and finds the interaction of a start that was lost.

A message is a hint only: anybody with a project at Google can have one signed for this address, with any metadata. So
the interaction is read from the API with the desk's own credentials, and has to be the job's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from tools.interactions.resources import Resource
from tools.load_control.minute_limit import MinuteLimit
from tools.research.api_errors import NotFound, Refused, Unavailable
from tools.research.ids import JOB_ID
from tools.research.job import Job
from tools.research.job_interactions import AUTH_STATUSES
from tools.research.job_states import ACTIVE, HAS_INTERACTION, STATE_OF_STATUS, State
from tools.research.job_tasks import JobTask
from tools.research.ledger import Ledger
from tools.research.run_start import warn_of_second_run
from tools.research.timeouts import ResearchTimeouts
from tools.research.worker import Worker

log = logging.getLogger(__name__)

MAX_READS_PER_MINUTE = 10
"""Maximum number of reads of the API in a minute for the messages about one job that name its interaction, and the same
for those that name others: a stranger who knows the job's id can send such messages without end."""
_STARTING = frozenset({State.STARTING, State.START_UNKNOWN})
Handled = tuple[str, Job | None, bool]
"""A description of what was done; the job to work on, or None; whether its interaction has ended."""
_NOT_THERE: Handled = ("the API does not have it, so nothing was done", None, False)


class IncomingWebhooks:
    """Handles the messages about the interactions of one server's jobs."""

    def __init__(
        self,
        ledger: Ledger,
        worker: Worker,
        ensure: Callable[[str], Awaitable[JobTask]],
        server: Callable[[], str],
        clock: Callable[[], float],
        timeouts: ResearchTimeouts,
    ) -> None:
        """Args:
        ensure: returns the task of a job with that id; starts one if the job is active and has none.
        server: returns the name of the server whose messages these are.
        """
        self._ledger, self._worker, self._ensure = ledger, worker, ensure
        self._server, self._clock, self._timeouts = server, clock, timeouts
        self._reads = MinuteLimit(MAX_READS_PER_MINUTE, clock)
        """Counts reads by the job, and by whether they are of its own interaction."""

    async def handle(self, interaction_id: str, job_id: str = "") -> str:
        """Handles one message. A repeated message does no harm.

        Waits until the result of an ended interaction is saved, because the process may get no time after the answer.

        Args:
            job_id: the job that the message names; empty if it names none.

        Returns:
            A description of what was done, for the log.

        Raises:
            ApiError: the message has to be sent again: the API cannot be read now, or saving the result takes longer.
        """
        words, job, ended = await self._find(interaction_id, job_id)
        if job:
            task = (await self._ensure(job.id)).task
            if task and ended:
                await asyncio.wait({task}, timeout=self._timeouts.webhook_wait_s)
                known = await self._ledger.get(job.id)
                if known and known.state in ACTIVE:
                    raise Unavailable(f"the result of {job.id} is not saved yet")
        return words

    async def _find(self, interaction_id: str, job_id: str) -> Handled:
        job = await self._ledger.find_by_interaction(interaction_id)
        if job is None and JOB_ID.fullmatch(job_id):
            job = await self._ledger.get(job_id)
        if job is None:
            return _done("no job here has it, so nothing was done")
        if job.order.server != self._server():
            return _done(f"{job.id} belongs to {job.order.server}, so nothing was done")
        if job.interaction_id != interaction_id:
            return await self._name(job, interaction_id)
        may_run_after_cancel = job.state is State.CANCELLED and job.may_run
        if job.state not in HAS_INTERACTION | {State.EXPIRED} and not may_run_after_cancel:
            return _done(f"{job.id} is over, so nothing was done")
        resource = await self._read(job, interaction_id)
        if resource is None:
            return _NOT_THERE
        ended = _has_ended(resource)
        if may_run_after_cancel and not ended:
            return _done(f"{job.id} was cancelled, and its run goes on")
        return f"{job.id} is worked on", await self._resume(job, {job.state}) or job, ended

    async def _name(self, job: Job, interaction_id: str) -> Handled:
        """Gives a job whose start was lost the interaction that a message names."""
        if interaction_id in job.interactions:
            return _done(f"it is an earlier interaction of {job.id}, so nothing was done")
        resource = await self._read(job, interaction_id)
        if resource and _job_named_by(resource) is None:
            resource = await self._read(job, interaction_id, include_input=True)
        if resource is None:
            return _NOT_THERE
        if not is_run_of(job, resource):
            log.warning("a webhook says that interaction %s is the run of %s, and it is not", interaction_id, job.id)
            return _done(f"it is not the run of {job.id}, so nothing was done")
        cancelled = job.state is State.CANCELLED and job.may_run and job.interaction_id is None
        if job.state not in _STARTING and not cancelled:
            warn_of_second_run(job, interaction_id)
            return _done(f"{job.id} needs no other run, so nothing was done")
        ended = _has_ended(resource)
        if cancelled and not ended:
            await self._worker.cancel_started(job, interaction_id)
            return _done(f"it is the lost run of {job.id}, which was cancelled: it is cancelled at the server")
        found: dict[str, Any] = {"interaction_id": interaction_id, "started": self._clock(), "cursor": None}
        running = await self._resume(job, {State.CANCELLED} if cancelled else _STARTING, **found, events=0)
        if running is None:  # another process was first
            return await self._find(interaction_id, job.id)
        return f"it is the lost run of {job.id}", running, ended

    async def _read(self, job: Job, interaction_id: str, *, include_input: bool = False) -> Resource | None:
        """Reads an interaction that a message names for a job; None if the API does not have it.

        Raises:
            ApiError: the API cannot be read now, refuses the credentials, or does not have the interaction yet: for as
                long after the job's last change as a run may take, a run that the API has accepted may still show up.
                Or there were too many messages about the job.
        """
        reads = (job.id, interaction_id == job.interaction_id)
        if self._reads.wait_s(reads):
            raise Unavailable(f"there are too many messages about {job.id} in this minute")
        self._reads.add(reads)
        try:
            return await self._worker.read(interaction_id, include_input=include_input)
        except NotFound:
            if self._clock() < job.updated + self._timeouts.stall_after_s:
                raise
        except Refused as error:
            if error.status in AUTH_STATUSES:
                raise
        return None

    async def _resume(self, job: Job, expected: Collection[State], **values: Any) -> Job | None:
        values |= {"state": State.RUNNING, "error": "", "finished": None, "may_run": 0}
        return await self._ledger.change(job.id, expected, self._clock(), **values)


def _done(words: str) -> Handled:
    return words, None, False


def is_run_of(job: Job, resource: Resource) -> bool:
    """Whether an interaction was created by a job's newest create request.

    The interaction's own metadata decides. If the server does not repeat the metadata, agent, chain and input decide.
    """
    if (named := _job_named_by(resource)) is not None:
        return named == job.id
    texts = [part.get("text") for step in resource.get("steps", ()) for part in step.get("content", ())]
    created = (resource.get("agent"), resource.get("previous_interaction_id"))
    sent = job.plan.reply if job.plan else job.order.brief
    return created == (job.order.agent, job.request.previous) and sent in texts


def _job_named_by(resource: Resource) -> str | None:
    """The job in an interaction's metadata; None if there is no such metadata."""
    config = resource.get("webhook_config")
    metadata = config.get("user_metadata") if isinstance(config, dict) else None
    return str(metadata["job"]) if isinstance(metadata, dict) and "job" in metadata else None


def _has_ended(resource: Resource) -> bool:
    return resource["status"] in STATE_OF_STATUS
