"""The server keeps interactions for a limited time: a warning comes before, an explanation after."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.conftest import Desk
from tests.research.test_promises import ORDER, lines_while_time_passes
from tests.scripts import research_brain, said
from tools.research.job import Job
from tools.research.job_states import State
from tools.research.service import Research
from tools.researcher.run_texts import outcome
from tools.settings import DAY_S
from tools.text.time_formats import to_minute

PLANNED = replace(ORDER, options={**ORDER.options, "collaborative_planning": True})
RETENTION = 55 * DAY_S
BEGAN = 1_800_000_000.0


@pytest.fixture
def brain() -> object:
    """Plans when asked for a plan."""
    return planning


def planning(turn: Turn) -> Iterator[TimedStep]:
    if turn.agent_config.get("collaborative_planning"):
        yield TimedStep(60, said("1. Look at the sea."))
    else:
        yield from research_brain(turn)


class Clock:
    """A clock that the test sets."""

    now = BEGAN

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def service(desk: Desk, clock: Clock) -> Research:
    """A service that uses the test's clock."""
    plain = desk.service()
    desk.services[-1] = Research(
        plain.ledger, plain._client, timeouts=plain._timeouts, sleep=desk.pass_time, clock=clock, retention_s=RETENTION
    )
    return desk.services[-1]


async def planned(desk: Desk, service: Research) -> Job:
    job, _ = await service.start(PLANNED)
    await lines_while_time_passes(desk, service, job)
    return await service.job(job.id)


async def test_retention_is_counted_from_the_start_at_the_server(desk: Desk, clock: Clock) -> None:
    desk_service = service(desk, clock)
    job, _ = await desk_service.start(ORDER, confirm=True)
    assert job.kept_until(RETENTION) is None
    clock.now += 3 * DAY_S  # until a person agrees to the price
    await desk_service.approve(job.id)
    await lines_while_time_passes(desk, desk_service, job)
    job = await desk_service.job(job.id)
    assert (job.state, job.kept_until(RETENTION)) == (State.COMPLETED, BEGAN + 3 * DAY_S + RETENTION)
    assert replace(job, started=None).kept_until(RETENTION) == BEGAN + RETENTION  # as in an older ledger


async def test_a_warning_is_logged_once_before_the_server_deletes_a_waiting_plan(
    desk: Desk, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "tools.research")
    keeping = service(desk, clock)
    job = await planned(desk, keeping)
    clock.now = BEGAN + 0.89 * RETENTION
    await keeping.resume()
    assert caplog.messages == []
    clock.now = BEGAN + 0.91 * RETENTION
    await keeping.resume()
    await keeping.resume()
    until = to_minute(BEGAN + RETENTION)
    assert caplog.messages == [f"{job.id} waits for a yes to its plan, which the server keeps until {until}"]
    assert (await keeping.job(job.id)).state is State.AWAITING_APPROVAL


async def test_a_yes_to_an_expired_plan_starts_nothing_and_names_the_reason_and_next_step(
    desk: Desk, clock: Clock
) -> None:
    asked = service(desk, clock)
    job = await planned(desk, asked)
    await desk.pass_time(RETENTION + DAY_S)
    creates, before = desk.creates, len(desk.api.log()["requests"])
    async with asyncio.timeout(60):
        await asked.approve(job.id)
        await lines_while_time_passes(desk, asked, job)
    job = await asked.job(job.id)
    assert (job.state, desk.creates, len(desk.api.log()["requests"])) == (State.FAILED, creates, before + 1)
    assert job.error.startswith("nothing was started: the server has forgotten the plan")
    assert f"start again {job.id}" in outcome(job)
    assert job.plan
    again = await asked.start_again(job)
    await lines_while_time_passes(desk, asked, again)
    again = await asked.job(again.id)
    assert (again.state, again.plan and again.plan.text) == (State.AWAITING_APPROVAL, "1. Look at the sea.")


async def test_a_404_of_a_proxy_to_the_start_after_a_plan_costs_no_second_plan(desk: Desk) -> None:
    service = desk.service()
    job, _ = await service.start(PLANNED)
    await lines_while_time_passes(desk, service, job)
    assert (await service.job(job.id)).state is State.AWAITING_APPROVAL
    page = {"body": "<h1>Not Found</h1>", "headers": {"content-type": "text/html"}}
    desk.api.faults({"on": "create", "status": 404, **page})
    approved = await service.approve(job.id)
    await lines_while_time_passes(desk, service, approved)
    assert (await service.job(job.id)).state is State.COMPLETED
    assert len(desk.api.interactions()) == 2  # the plan and the research
