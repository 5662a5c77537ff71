"""Runs one background task of this process for each active job, and yields the job's progress to watchers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tools.research.job import Job
from tools.research.job_states import ACTIVE


@dataclass
class JobTask:
    """The task of a job, and its lines of progress so far."""

    task: asyncio.Task[None] | None = None
    lines: list[str] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, line: str) -> None:
        """Adds a line unless it equals one of the last two lines, because a warning and a line may alternate."""
        if line not in self.lines[-2:]:
            self.lines.append(line)
            self._changed.set()
            self._changed = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether the job has no running task."""
        return self.task is None or self.task.done()

    async def watch(self, end: float | None) -> AsyncGenerator[str, None]:
        """Yields all lines and then new ones, until the task ends or the event loop's time is `end`.

        Raises:
            Exception: the exception that made the task fail.
        """
        loop, shown = asyncio.get_running_loop(), 0
        while True:
            changed = self._changed
            while shown < len(self.lines):
                yield self.lines[shown]
                shown += 1
            if self.task is None or self.task.done():
                break
            left = None if end is None else end - loop.time()
            if left is not None and left <= 0:
                return
            waiter = asyncio.ensure_future(changed.wait())
            try:
                await asyncio.wait({waiter, self.task}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiter.cancel()
        if self.task and not self.task.cancelled():
            self.task.result()


class JobTasks:
    """The background tasks of one event loop, at most one for each job."""

    def __init__(self, work: Callable[[Job, Callable[[str], None]], Coroutine[Any, Any, None]]) -> None:
        """Args:
        work: works on a job until its end, and passes on lines of progress.
        """
        self._work = work
        self._tasks: dict[str, JobTask] = {}

    def is_running(self, job_id: str) -> bool:
        """Whether the job has a task that has not ended."""
        return job_id in self._tasks and not self._tasks[job_id].ended

    def ensure(self, job: Job) -> JobTask:
        """Returns the job's task; starts one if the job is active and has none."""
        if not self.is_running(job.id):
            new = self._tasks[job.id] = JobTask()
            if job.state in ACTIVE:
                new.task = asyncio.create_task(self._work(job, new.say))
        return self._tasks[job.id]

    async def stop(self, job_id: str) -> None:
        """Cancels the job's task, if there is one, and waits for its end."""
        known = self._tasks.pop(job_id, None)
        if known and known.task:
            known.task.cancel()
            await asyncio.gather(known.task, return_exceptions=True)

    async def stop_all(self) -> None:
        """Stops all tasks, one at a time."""
        for job_id in list(self._tasks):
            await self.stop(job_id)
