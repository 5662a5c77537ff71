"""Questions about a report: whichever processes get the same question, a model is paid for it once."""

from __future__ import annotations

import asyncio

from tests.conftest import Desk
from tools.interactions.client import ApiError
from tools.research.config import load_research_settings
from tools.research.job import LOCAL_USER, OUTSIDE_CONVERSATIONS
from tools.research.repeated_questions import ask_once
from tools.settings import load_settings

QUESTION = "Why are there two tides a day?"


async def test_a_question_that_two_processes_get_at_the_same_time_is_paid_for_once(desk: Desk) -> None:
    settings = load_research_settings(load_settings().config)
    first, second = desk.service(), desk.service()
    job, _ = await first.start(settings.order("tides", user=LOCAL_USER, session=OUTSIDE_CONVERSATIONS))
    while not (await first.job(job.id)).interaction_id:
        await asyncio.sleep(0.001)
    await desk.pass_time(3000)
    async for _ in first.watch(job.id):
        pass
    wordings = (QUESTION, QUESTION.upper(), f"  {QUESTION}")
    asked = [ask_once(one, settings, job, text, 60) for one in (first, second) for text in wordings]
    waiting = asyncio.gather(*asked)
    while not waiting.done():
        await desk.pass_time(60)
    assert len(set(waiting.result())) == 1
    assert [entry.kind for entry in await first.ledger.spending()] == ["run", "question"]
    desk.api.faults({"on": "create", "status": 400, "times": 1})
    other = [ask_once(one, settings, job, "And neap tides?", 60) for one in (first, second)]
    trying = asyncio.gather(*other, return_exceptions=True)
    while not trying.done():
        await desk.pass_time(60)
    refused, answered = sorted(trying.result(), key=lambda result: isinstance(result, str))
    assert isinstance(refused, ApiError)  # the one that asked first; the other one tries it itself
    assert isinstance(answered, str)
