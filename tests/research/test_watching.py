"""A process that follows no runs leaves them to others, and shows and steers them all the same."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from tests.conftest import Desk
from tests.research.test_promises import LINES, ORDER
from tools.research.job import Job
from tools.research.job_states import State
from tools.research.job_texts import FOLLOWED_ELSEWHERE, NOT_FOLLOWED
from tools.research.service import Research


async def until_sent(service: Research, job: Job) -> None:
    while not (await service.job(job.id)).interaction_id:
        await asyncio.sleep(0.001)


async def test_a_watcher_is_told_when_no_process_follows_runs_and_sees_the_progress_once_one_does(desk: Desk) -> None:
    now = [time.time()]
    serving, working = desk.service(follows=False, clock=lambda: now[0]), desk.service()
    job, new = await serving.start(ORDER)
    now[0] += 20
    watching = serving.watch(job.id)
    assert await anext(watching) == NOT_FOLLOWED
    assert (new, (await serving.job(job.id)).state, desk.creates) == (True, State.INTENDED, 0)
    assert [started.id for started in await working.start_unsent()] == [job.id]
    await until_sent(working, job)
    await desk.pass_time(3000)
    assert [line async for line in watching if line in LINES] == LINES
    assert ((await serving.job(job.id)).state, desk.creates) == (State.COMPLETED, 1)


async def test_nothing_runs_for_an_order_that_nobody_watches(desk: Desk) -> None:
    serving = desk.service(follows=False)
    before = asyncio.all_tasks()
    await serving.start(ORDER)
    assert {task for task in asyncio.all_tasks() - before if "_work" in repr(task.get_coro())} == set()


async def test_a_run_whose_follower_died_is_not_taken_over_by_a_watcher(desk: Desk) -> None:
    serving, working = desk.service(follows=False), desk.service()
    job, _ = await working.start(ORDER)
    await until_sent(working, job)
    await working.close()
    watching = serving.watch(job.id)
    assert await anext(watching) == FOLLOWED_ELSEWHERE
    await desk.pass_time(3000)
    assert (await serving.job(job.id)).state is State.RUNNING
    await desk.service().resume()
    assert [line async for line in watching if line in LINES]
    assert ((await serving.job(job.id)).state, desk.creates) == (State.COMPLETED, 1)


async def test_cancelling_works_before_and_during_a_run(desk: Desk) -> None:
    serving, working = desk.service(follows=False), desk.service()
    unsent, _ = await serving.start(ORDER)
    assert (await serving.cancel(unsent.id)).state is State.CANCELLED
    sent, _ = await serving.start(replace(ORDER, brief="Why is the sea salty?"))
    assert [job.id for job in await working.start_unsent()] == [sent.id]
    await until_sent(working, sent)
    assert (await serving.cancel(sent.id)).state is State.CANCELLED
    assert [run["status"] for run in desk.api.interactions()] == ["cancelled"]


async def test_an_order_that_no_process_began_for_an_hour_starts_when_somebody_asks_again(desk: Desk) -> None:
    now = [time.time()]
    serving = desk.service(follows=False, clock=lambda: now[0])
    working = desk.service(clock=lambda: now[0])
    job, _ = await serving.start(ORDER)
    now[0] += 3_700
    assert await working.start_unsent() == []
    again, new = await serving.start(ORDER)
    assert (again.id, new) == (job.id, False)
    now[0] += 1
    assert [started.id for started in await working.start_unsent()] == [job.id]
