"""Asks models about reports. A question that was asked before, or is being answered anywhere, is not paid for again."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from weakref import WeakKeyDictionary

from tools.research.config import ResearchSettings
from tools.research.job import OUTSIDE_CONVERSATIONS, Job
from tools.research.locks import Locked
from tools.research.service import Research

POLL_INTERVAL_S = 1.0
"""Seconds between two looks for an answer that another process gets."""
_answering: WeakKeyDictionary[Research, dict[tuple[str, str], asyncio.Task[str]]] = WeakKeyDictionary()
"""Questions that this process answers, by job and question: one task at a time looks and asks."""


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
    return task.result() if done and not task.cancelled() else None  # cancelled: the lock's lease was lost


async def _answer(service: Research, settings: ResearchSettings, job_id: str, question: str) -> str:
    """Returns the known answer to a question about a report, waits for that of another process, or asks a model."""
    digest = hashlib.sha256(_plain(question).encode()).hexdigest()
    while (text := await _known(service, job_id, question)) is None:
        with suppress(Locked):
            async with service.ledger.locks.hold(f"ask/{job_id}/{digest}"):
                return await _known(service, job_id, question) or await _ask(service, settings, job_id, question)
        await asyncio.sleep(POLL_INTERVAL_S)
    return text


async def _known(service: Research, job_id: str, question: str) -> str | None:
    wanted = _plain(question)
    answers = (await service.job(job_id)).follow_ups
    return next((known.text for known in answers if known.text and _plain(known.question) == wanted), None)


async def _ask(service: Research, settings: ResearchSettings, job_id: str, question: str) -> str:
    model, limits = settings.follow_up_model, settings.limits
    return (await service.follow_up(job_id, question, model, OUTSIDE_CONVERSATIONS, limits=limits)).text


def _plain(question: str) -> str:
    return " ".join(question.split()).casefold()
