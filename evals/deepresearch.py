"""DeepResearch Bench: its tasks as durable researches, and the files that its scripts read.

The benchmark (github.com/Ayanami0730/deep_research_bench) reads `data/test_data/raw_data/<model>.jsonl`: a JSON object
a line with `id`, `prompt` and `article`. RACE finds an article by its `prompt`, FACT by the `id` in the benchmark's
`query.jsonl` (`utils/extract.py`), and knows citations of the form `text [1]` with a list of references at the end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.citations import plain_marks
from tools.research.job import TERMINAL, WORKABLE, Job, Order, State, cost_of
from tools.research.report import Report
from tools.research.service import Research


class TasksError(Exception):
    """A file of tasks cannot be read. The text names the line."""


@dataclass(frozen=True)
class Task:
    """A task of the benchmark."""

    id: int | str
    """As the benchmark has it."""
    prompt: str


@dataclass(frozen=True)
class Done:
    """What came of a task."""

    task: Task
    job: Job | None
    """None: it was not started, for want of money."""
    report: Report | None


def read_tasks(file: Path) -> list[Task]:
    """The tasks of a `query.jsonl`. A number in `source_id` is the benchmark's id, where a sample has one of its own.

    Raises:
        TasksError: there is something else in the file, or a task twice.
    """
    tasks: dict[str, Task] = {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise TasksError(f"{file}: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            own, prompt = row.get("source_id", row["id"]), row["prompt"]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise TasksError(f"{file}, line {number}: not a JSON object with `id` and `prompt`") from None
        if not isinstance(prompt, str) or not prompt.strip() or prompt in tasks:
            raise TasksError(f"{file}, line {number}: a `prompt` that is empty or stands there twice")
        tasks[prompt] = Task(own if isinstance(own, int) else row["id"], prompt)
    if not tasks:
        raise TasksError(f"{file}: no tasks")
    return list(tasks.values())


@dataclass(frozen=True)
class Bench:
    """Runs tasks. The same tasks by the same name join the researches that they have, whatever happened in between."""

    service: Research
    new_order: Callable[[str], Order]
    """The order for a prompt; its user and session say whose it is, and so what can be joined."""
    most: float
    """USD that all of it may cost, by the upper estimate of each run, those of earlier times included."""

    async def outlook(self, tasks: Sequence[Task], retry: bool = False) -> tuple[float, float]:
        """USD that was ordered already, and that is still to be ordered, at most."""
        spent, known = await self._known(tasks)
        new = [task for task in tasks if task.prompt not in known or (retry and _failed(known[task.prompt]))]
        return spent, sum(self._cost(task) for task in new)

    async def run(
        self, tasks: Sequence[Task], at_once: int, say: Callable[[Task, str], None], retry: bool = False
    ) -> AsyncIterator[Done]:
        """Yields each task as it is done.

        Args:
            at_once: how many run at a time.
            say: is told each line of progress.
            retry: whether what failed before is paid for once more.
        """
        (spent, known), free = await self._known(tasks), asyncio.Semaphore(at_once)
        left = self.most - spent

        async def one(task: Task) -> Done:
            nonlocal left
            async with free:
                job, cost = known.get(task.prompt), self._cost(task)
                fails = job is not None and _failed(job)
                if job is None or (fails and retry):
                    if cost > left:
                        return Done(task, job, None)
                    left -= cost
                    if job is None:
                        job, _ = await self.service.start(self.new_order(task.prompt))
                    else:
                        job = await self.service.start_again(job)
                    say(task, f"{job.id} begins")
                if job.state in WORKABLE:
                    async for line in self.service.watch(job.id):
                        say(task, line)
                return Done(task, await self.service.job(job.id), await self.service.report(job.id))

        running = [asyncio.create_task(one(task)) for task in tasks]
        try:
            for each in asyncio.as_completed(running):
                yield await each
        finally:
            for each in running:
                each.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _known(self, tasks: Sequence[Task]) -> tuple[float, dict[str, Job]]:
        """What the tasks have cost, at most, and the newest job of each that has one."""
        wanted = {order.brief: order for order in (self.new_order(task.prompt) for task in tasks)}
        user = next(iter(wanted.values())).user
        jobs = [
            job
            for job in await self.service.jobs(user)
            if (order := wanted.get(job.order.brief))
            and (order.session, order.agent) == (job.order.session, job.order.agent)
        ]
        spent = sum(job.cost for job in jobs if job.interaction_id or job.state is not State.FAILED)
        return spent, {job.order.brief: job for job in sorted(jobs, key=lambda job: job.order.attempt)}

    def _cost(self, task: Task) -> float:
        return cost_of(self.new_order(task.prompt).agent)[1]


def article(report: Report) -> str:
    """A report in the form that FACT knows: marks like `[1]`, and the references with their addresses at the end."""
    text = report.text
    for picture in report.pictures:
        text = text.replace(picture.mark, "")
    text = plain_marks(text, report.sources).strip()
    references = "\n".join(f"[{s.number}] {' '.join(filter(None, (s.title, s.url)))}" for s in report.sources)
    return f"{text}\n\n## References\n\n{references}\n" if references else f"{text}\n"


def write_articles(file: Path, tasks: Sequence[Task], reports: dict[Task, Report]) -> None:
    """Writes those reports that there are, in the order of the tasks; the file is never half written."""
    rows = [{"id": t.id, "prompt": t.prompt, "article": article(reports[t])} for t in tasks if t in reports]
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    new.replace(file)


def _failed(job: Job) -> bool:
    return job.state in TERMINAL and job.state is not State.COMPLETED
