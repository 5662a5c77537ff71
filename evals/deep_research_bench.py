"""Runs the tasks of DeepResearch Bench as durable research jobs, within a budget."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from evals.deep_research_files import Task
from tools.load_control.concurrent_calls import run_each
from tools.research.api_errors import ApiError
from tools.research.job import Job
from tools.research.job_states import ACTIVE, TERMINAL, State
from tools.research.order import Order
from tools.research.pricing import cost_of
from tools.research.report.report import Report
from tools.research.service import Research


@dataclass(frozen=True)
class TaskResult:
    """The result of a task."""

    task: Task
    job: Job | None
    """The task's newest job; None if the budget was used up before a job was started."""
    report: Report | None
    """The newest report with a text, possibly of an earlier job."""
    error: str = ""
    """The error, if the job's state does not show it."""


@dataclass(frozen=True)
class _EarlierJobs:
    """The earlier jobs of a task."""

    jobs: tuple[Job, ...]
    """Oldest first."""
    report: Report | None

    def needs_run(self, retry: bool) -> bool:
        """Whether to order the task: no run was ever started, or the last one failed and `retry` is set."""
        if not self.jobs or _never_started(self.jobs[-1]):
            return True
        state = self.jobs[-1].state
        failed = state in (TERMINAL - {State.COMPLETED}) | {State.START_UNKNOWN}
        return retry and (failed or (state is State.COMPLETED and not self.report))


@dataclass(frozen=True)
class Bench:
    """Runs tasks. A task that is run again under the same name joins its existing job, also after a crash."""

    service: Research
    new_order: Callable[[str], Order]
    """Makes the order for a prompt; its user and session decide which existing jobs can be joined."""
    max_usd: float
    """Maximum USD for all runs of the session, including past runs and other tasks. Each counts at its upper price."""

    async def estimate(self, tasks: Sequence[Task], retry: bool = False) -> tuple[float, float]:
        """Returns upper estimates in USD: of the runs ordered before, and of the runs still to be ordered."""
        spent, earlier = await self._earlier_jobs(tasks)
        return spent, sum(self._cost(task) for task in tasks if earlier[task].needs_run(retry))

    async def run(
        self, tasks: Sequence[Task], at_once: int, on_progress: Callable[[Task, str], None], retry: bool = False
    ) -> AsyncIterator[TaskResult]:
        """Yields each task as it is done.

        Args:
            at_once: maximum number of tasks that run at a time.
            on_progress: called with each line of progress.
            retry: whether to pay for a new run of tasks that failed before.
        """
        spent, earlier = await self._earlier_jobs(tasks)
        usd_left = self.max_usd - spent

        async def run_task(task: Task) -> TaskResult:
            nonlocal usd_left
            earlier_jobs, problem = earlier[task], ""
            cost = self._cost(task) if earlier_jobs.needs_run(retry) else 0.0
            if cost:
                if cost > usd_left:
                    return TaskResult(task, None, earlier_jobs.report)
                usd_left -= cost
                job = await self._order(task, earlier_jobs)
                on_progress(task, f"{job.id} begins")
            else:
                job = earlier_jobs.jobs[-1]
            if job.state in ACTIVE | {State.EXPIRED}:  # an expired job may still be found at the server
                try:
                    async for line in self.service.watch(job.id):
                        on_progress(task, line)
                except ApiError as error:  # one unreadable job must not stop the others
                    problem = (
                        f"{job.id} cannot be read: {error}; the run continues, and the same command reads it again"
                    )
            job, report = await self.service.job(job.id), await self._report(job)
            if _never_started(job):
                usd_left += cost
            if job.state is State.COMPLETED and not report:
                problem = f"{job.id} ended without a text; --retry pays for it once more"
            return TaskResult(task, job, report or earlier_jobs.report, problem)

        # Jobs that already run at the server come first; otherwise they would run in addition to `at_once` new jobs.
        first = sorted(tasks, key=lambda task: not any(job.state in ACTIVE for job in earlier[task].jobs))
        async with aclosing(run_each(run_task, first, at_once)) as results:
            async for _, result in results:
                yield result

    async def _earlier_jobs(self, tasks: Sequence[Task]) -> tuple[float, dict[Task, _EarlierJobs]]:
        """Upper estimate in USD of the session's cost, and the earlier jobs of each task."""
        orders = {task: self.new_order(task.prompt) for task in tasks}
        mine = next(iter(orders.values()))
        jobs = [job for job in await self.service.jobs(mine.user) if job.order.session == mine.session]
        jobs.sort(key=lambda job: job.order.attempt)
        spent = sum(job.cost for job in jobs if not _never_started(job))
        same = {
            task: [job for job in jobs if (job.order.brief, job.order.agent) == (order.brief, order.agent)]
            for task, order in orders.items()
        }
        return spent, {task: _EarlierJobs(tuple(jobs), await self._report(*jobs)) for task, jobs in same.items()}

    async def _report(self, *jobs: Job) -> Report | None:
        """The newest report with a text."""
        for job in reversed(jobs):
            report = await self.service.report(job.id)
            if report and report.text.strip():
                return report
        return None

    async def _order(self, task: Task, earlier: _EarlierJobs) -> Job:
        if not earlier.jobs or _never_started(earlier.jobs[-1]):
            return (await self.service.start(self.new_order(task.prompt)))[0]
        return await self.service.start_again(earlier.jobs[-1])

    def _cost(self, task: Task) -> float:
        return cost_of(self.new_order(task.prompt).agent)[1]


def _never_started(job: Job) -> bool:
    """Whether the server refused to start the job, so that it cost nothing."""
    return job.state is State.FAILED and not job.interaction_id
