"""Questions about a report: whichever processes get the same question, a model is paid for it once."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Brain
from tests.conftest import Desk
from tests.forks import Fork
from tests.ledger.conftest import NOW, Open, open_ledger, url
from tests.research.asker import MODEL
from tools.interactions.endpoint import gemini_endpoint
from tools.interactions.transport import Transport
from tools.research.api_client import InteractionsClient
from tools.research.api_errors import ApiError
from tools.research.follow_up import AnswerLater
from tools.research.job import Job, Kind, new_job
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.locks import Locks
from tools.research.order import Order
from tools.research.report.report import Report, to_json
from tools.research.service import Research
from tools.research.timeouts import LOCK_LEASE_S

__all__ = ["open_ledger", "url"]
QUESTION = "Why are there two tides a day?"
ORDER = Order("tides", "ada", "s1", "deep-research-preview-04-2026")


async def finished(desk: Desk, service: Research) -> Job:
    """A run that has its report."""
    job, _ = await service.start(ORDER)
    while not (await service.job(job.id)).interaction_id:
        await asyncio.sleep(0.001)
    await desk.pass_time(3000)
    async for _ in service.watch(job.id):
        pass
    return job


async def test_a_question_that_two_processes_get_at_the_same_time_is_paid_for_once(desk: Desk) -> None:
    first, second = desk.service(), desk.service()
    job = await finished(desk, first)
    wordings = (QUESTION, QUESTION.upper(), f"  {QUESTION}")
    asked = [one.follow_ups.ask_once(job.id, text, MODEL) for one in (first, second) for text in wordings]
    waiting = asyncio.gather(*asked)
    while not waiting.done():
        await desk.pass_time(60)
    assert len(set(waiting.result())) == 1
    assert [entry.kind for entry in await first.ledger.spending()] == ["run", "question"]
    desk.api.faults({"on": "create", "status": 400, "times": 1})
    other = [one.follow_ups.ask_once(job.id, "And neap tides?", MODEL) for one in (first, second)]
    trying = asyncio.gather(*other, return_exceptions=True)
    while not trying.done():
        await desk.pass_time(60)
    refused, answered = sorted(trying.result(), key=lambda result: isinstance(result, str))
    assert isinstance(refused, ApiError)  # the one that asked first; the other one tries it itself
    assert isinstance(answered, str)


async def test_a_question_that_a_process_gives_up_at_its_end_can_be_asked_again_at_once(desk: Desk) -> None:
    second = desk.service()
    job = await finished(desk, second)
    first = desk.service(create_timeout_s=0)
    asking = asyncio.create_task(first.follow_ups.ask_once(job.id, QUESTION, MODEL))
    while len(desk.api.interactions()) < 2:
        await asyncio.sleep(0.001)
    await first.close()
    async with asyncio.timeout(60):
        with pytest.raises(AnswerLater):
            await asking
        again = asyncio.create_task(second.follow_ups.ask_once(job.id, QUESTION, MODEL))
        while not again.done():
            await desk.pass_time(60)
    assert await again


class SecondProcess:
    """A process that gets a question which another one was asked first.

    Its clock is ahead, as if it were asked later, and its waits end at once.
    """

    def __init__(self, ledger: Ledger, transport: Transport, job: Job) -> None:
        self.ahead_s, self.looks = 0.0, 0
        """How often it has looked for the answer."""
        ledger.locks = Locks(ledger._database, clock=lambda: time.time() + self.ahead_s)
        self.service = Research(ledger, InteractionsClient(lambda: transport), sleep=self._look)
        self.asking = asyncio.create_task(self.service.follow_ups.ask_once(job.id, QUESTION, MODEL))

    async def looked_again(self) -> None:
        """Waits until it has looked three more times, and has paid for nothing."""
        seen = self.looks
        while self.looks < seen + 3:
            assert not self.asking.done()
            assert await self.questions() == [Kind.QUESTION]

    async def questions(self) -> list[Kind]:
        """What both have paid for."""
        return [entry.kind for entry in await self.service.ledger.spending()]

    async def _look(self, seconds: float) -> None:
        self.looks += 1
        await asyncio.sleep(0.001)


@pytest.fixture
async def api(brain: Brain) -> AsyncIterator[Emulator]:
    """An emulator whose answers wait until time passes."""
    async with Emulator(brain=brain, speed=0) as found:
        yield found


Ask = Callable[[], Awaitable[tuple[Fork, SecondProcess, Path]]]


@pytest.fixture
async def ask_twice(url: str, open_ledger: Open, api: Emulator, tmp_path: Path) -> AsyncIterator[Ask]:
    """Lets a process ask a question; when its request is at the server, another one gets the same question.

    Returns both, and the file with what the first one prints.
    """
    ledger, transport, started = open_ledger(), Transport(gemini_endpoint(api.url, "k")), list[Fork]()
    report = to_json(Report("Tides", "The moon moves the sea.", (), (), {}, "v1_a", "", ""))

    async def ask() -> tuple[Fork, SecondProcess, Path]:
        job, _ = await ledger.add(new_job(ORDER, NOW))
        await ledger.change(job.id, {State.INTENDED}, NOW, state=State.COMPLETED, report=report)
        with (tmp_path / "answer").open("wb") as file:
            started.append(Fork("tests.research.asker", url, api.url, job.id, QUESTION, stdout=file))
        while not api.interactions():
            await asyncio.sleep(0.01)
        return started[0], SecondProcess(ledger, transport, job), tmp_path / "answer"

    yield ask
    for process in started:
        process.kill()
    await transport.aclose()


async def test_a_question_of_a_frozen_process_is_not_paid_for_by_another_one(ask_twice: Ask, api: Emulator) -> None:
    first, second, printed = await ask_twice()
    os.kill(first.pid, signal.SIGSTOP)
    for ahead_s in (0, LOCK_LEASE_S + 1, second.service._client.model_timeout_s):
        second.ahead_s = ahead_s
        await second.looked_again()
    os.kill(first.pid, signal.SIGCONT)
    answer = await while_time_passes(api, second.asking)
    assert await asyncio.to_thread(first.wait) == 0
    assert printed.read_text().strip() == answer.strip() != ""
    assert (await second.questions(), len(api.interactions())) == ([Kind.QUESTION], 1)


async def test_a_question_of_a_killed_process_is_asked_again_when_its_request_can_have_no_answer(
    ask_twice: Ask, api: Emulator
) -> None:
    first, second, _ = await ask_twice()
    first.kill()
    await second.looked_again()
    second.ahead_s = 2 * second.service._client.model_timeout_s
    assert await while_time_passes(api, second.asking)
    assert await second.questions() == [Kind.QUESTION, Kind.QUESTION]


async def while_time_passes(api: Emulator, asking: asyncio.Task[str]) -> str:
    while not asking.done():
        await asyncio.to_thread(api.advance, 60)
    return await asking
