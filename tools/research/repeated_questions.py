"""Asks models about reports. A question that was asked before, or is being answered, is not paid for once more."""

from __future__ import annotations

import asyncio

from tools.research.config import ResearchSettings
from tools.research.job import OUTSIDE_CONVERSATIONS, Job
from tools.research.report.reading import Report
from tools.research.service import Research


class RepeatedQuestions:
    """The questions that are asked outside conversations, on one event loop."""

    def __init__(self) -> None:
        self._answering: dict[tuple[str, str], asyncio.Task[Report]] = {}
        """Questions that a model is answering, by job and question."""

    async def ask(
        self, service: Research, settings: ResearchSettings, job: Job, question: str, timeout_s: float
    ) -> str | None:
        """Returns the answer to a question about a job's report; None if it is not there in time and comes later.

        Raises:
            the errors of `Research.follow_up`.
        """
        wanted = _plain(question)
        for known in job.follow_ups:
            if known.text and _plain(known.question) == wanted:
                return known.text
        key = (job.id, wanted)
        task = self._answering.get(key)
        if task is None:
            model, limits = settings.follow_up_model, settings.limits
            answer = service.follow_up(job.id, question, model, OUTSIDE_CONVERSATIONS, limits=limits)
            task = self._answering[key] = asyncio.create_task(answer)
            task.add_done_callback(lambda _: self._answering.pop(key, None))
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
        return task.result().text if done else None


def _plain(question: str) -> str:
    return " ".join(question.split()).casefold()
