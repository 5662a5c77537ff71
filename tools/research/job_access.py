"""Reads the jobs of a server for its users, and starts the tasks that work on jobs."""

from __future__ import annotations

from collections.abc import Callable

from tools.research.job import Job
from tools.research.job_errors import NotFinished, UnknownJob
from tools.research.job_interactions import JobInteractions
from tools.research.job_states import ACTIVE, State
from tools.research.job_tasks import JobTask, JobTasks
from tools.research.ledger import Ledger
from tools.research.report.report import Report, from_json
from tools.research.timeouts import MAX_UNSENT_AGE_S


class JobAccess:
    """Reads the jobs of one server, and starts the tasks that work on them."""

    def __init__(
        self, ledger: Ledger, data: JobInteractions, tasks: JobTasks, clock: Callable[[], float], follows: bool
    ) -> None:
        self.ledger, self._data, self._tasks, self._clock, self._follows = ledger, data, tasks, clock, follows

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
