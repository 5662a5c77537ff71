"""Asks models about reports. A question that was asked before, or is being answered here, is not paid for again."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from tools.research.config import ResearchSettings
from tools.research.job import OUTSIDE_CONVERSATIONS, Job
from tools.research.service import Research

_answering: WeakKeyDictionary[Research, dict[tuple[str, str], asyncio.Task[str]]] = WeakKeyDictionary()
"""Questions that are being answered, by job and question: one task at a time looks and asks."""


async def ask_once(
    service: Research, settings: ResearchSettings, job: Job, question: str, timeout_s: float
) -> str | None:
    """Returns the answer to a question about a job's report; None if it is not there in time and comes later.

    Raises:
        the errors of `Research.follow_up`.
    """
    answering, key = _answering.setdefault(service, {}), (job.id, _plain(question))
    task = answering.get(key)
    if task is None:
        task = answering[key] = asyncio.create_task(_answer(service, settings, job.id, question))
        task.add_done_callback(lambda _: answering.pop(key, None))
    done, _ = await asyncio.wait({task}, timeout=timeout_s)
    return task.result() if done else None


async def _answer(service: Research, settings: ResearchSettings, job_id: str, question: str) -> str:
    """Returns the known answer to a question about a report, or else asks a model."""
    job, wanted = await service.job(job_id), _plain(question)
    for known in job.follow_ups:
        if known.text and _plain(known.question) == wanted:
            return known.text
    model, limits = settings.follow_up_model, settings.limits
    return (await service.follow_up(job_id, question, model, OUTSIDE_CONVERSATIONS, limits=limits)).text


def _plain(question: str) -> str:
    return " ".join(question.split()).casefold()
