"""Further promises of the research service: plans, prices, limits, follow-up questions, deletion, one follower."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.conftest import Desk, Later
from tests.research.test_promises import LINES, ORDER, begin, lines, lines_while_time_passes
from tests.scripts import research_brain, said
from tools.research.job import Job
from tools.research.job_errors import NotDeleted, NotFinished, UnknownJob, WrongBackend
from tools.research.job_states import State
from tools.research.job_texts import FOLLOWED_ELSEWHERE
from tools.research.quotas import LimitReached, Quotas
from tools.research.service import Research
from tools.research.timeouts import MAX_CREATE_ATTEMPTS

PLANNED = replace(ORDER, options={**ORDER.options, "collaborative_planning": True})


class Brain:
    """Plans, researches or answers questions, depending on the request, and records all requests."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def __call__(self, turn: Turn) -> Iterator[TimedStep]:
        self.turns.append(turn)
        if turn.is_agent and turn.agent_config.get("collaborative_planning"):
            yield TimedStep(60, said(f"1. Look at the sea. ({len(self.turns)})"))
        elif turn.is_agent:
            yield from research_brain(turn)
        else:
            yield TimedStep(0, said("The moon."))


@pytest.fixture
def brain() -> Brain:
    return Brain()


async def finished(desk: Desk, service: Research) -> Job:
    job, _ = await service.start(ORDER)
    await lines_while_time_passes(desk, service, job)
    return await service.job(job.id)


async def test_a_plan_can_be_revised_and_is_approved_before_the_research_runs(desk: Desk, brain: Brain) -> None:
    service = desk.service()
    job, _ = await service.start(PLANNED)
    await lines_while_time_passes(desk, service, job)
    job = await service.job(job.id)
    assert (job.state, job.plan and job.plan.text) == (State.AWAITING_APPROVAL, "1. Look at the sea. (1)")
    assert await service.report(job.id) is None

    job = await service.revise(job.id, "Look at the moon too.")
    assert (job.state, job.interaction_id) == (State.INTENDED, None)
    await lines_while_time_passes(desk, service, job)
    job = await service.job(job.id)
    assert job.plan and job.plan.text == "1. Look at the sea. (2)"
    assert brain.turns[1].steps[-1]["content"][0]["text"] == "Look at the moon too."

    await asyncio.gather(service.approve(job.id), service.approve(job.id), desk.service().approve(job.id))
    await lines_while_time_passes(desk, service, job)
    assert (await service.job(job.id)).state is State.COMPLETED
    assert brain.turns[2].agent_config["collaborative_planning"] is False
    assert len(brain.turns[2].steps) == 5  # one chain: the brief, a plan, the wish, the next plan and the yes
    assert desk.creates == 3


REFUSED = {"on": "create", "times": MAX_CREATE_ATTEMPTS}


@pytest.mark.parametrize(
    ("fault", "state", "by_order"),
    [
        ({**REFUSED, "status": 400}, State.FAILED, False),
        ({**REFUSED, "status": 401}, State.FAILED, True),
        ({**REFUSED, "status": 403}, State.FAILED, False),
        ({**REFUSED, "status": 429, "headers": {"retry-after": "86400"}}, State.FAILED, True),
        ({**REFUSED, "status": 429}, State.FAILED, False),
        ({"on": "create", "drop": True}, State.START_UNKNOWN, False),
        pytest.param({**REFUSED, "status": 400}, State.FAILED, True, marks=pytest.mark.nightly),
        pytest.param({**REFUSED, "status": 401}, State.FAILED, False, marks=pytest.mark.nightly),
        pytest.param({**REFUSED, "status": 403}, State.FAILED, True, marks=pytest.mark.nightly),
        pytest.param({**REFUSED, "status": 429}, State.FAILED, True, marks=pytest.mark.nightly),
    ],
)
async def test_a_plan_whose_start_failed_is_shown_again_and_not_paid_for_twice(
    desk: Desk, brain: Brain, fault: dict[str, Any], state: State, by_order: bool
) -> None:
    service = desk.service()
    job, _ = await service.start(PLANNED)
    await lines_while_time_passes(desk, service, job)
    desk.api.faults(fault)
    await lines_while_time_passes(desk, service, await service.approve(job.id))
    failed = await service.job(job.id)
    assert failed.state is state
    desk.api.faults()
    if by_order:
        again, _ = await service.start(PLANNED)
    else:
        again = await service.start_again(failed)
    await lines_while_time_passes(desk, service, again)
    again = await service.job(again.id)
    assert (again.state, again.plan and again.plan.text) == (State.AWAITING_APPROVAL, "1. Look at the sea. (1)")
    await service.approve(again.id)
    await lines_while_time_passes(desk, service, again)
    assert (await service.job(again.id)).state is State.COMPLETED
    assert brain.turns[-1].agent_config["collaborative_planning"] is False
    assert len(brain.turns) == 2


async def test_a_plan_that_another_attempt_shows_is_not_deleted_with_the_failed_one(desk: Desk) -> None:
    service = desk.service()
    job, _ = await service.start(PLANNED)
    await lines_while_time_passes(desk, service, job)
    desk.api.faults({"on": "create", "status": 403})
    await lines_while_time_passes(desk, service, await service.approve(job.id))
    again = await service.start_again(await service.job(job.id))
    assert any(again.id in line for line in await service.forget(job.id))
    await service.approve(again.id)
    await lines_while_time_passes(desk, service, again)
    assert (await service.job(again.id)).state is State.COMPLETED
    await service.forget(again.id)
    assert desk.api.interactions() == []


async def test_a_waiting_plan_survives_a_restart_and_is_cancelled_without_an_api_call(desk: Desk) -> None:
    first = desk.service()
    job, _ = await first.start(PLANNED)
    await lines_while_time_passes(desk, first, job)
    await first.close()
    second = desk.service()
    assert await lines(second, job) == []
    calls = len(desk.api.log()["requests"])
    assert (await second.cancel(job.id)).state is State.CANCELLED
    assert len(desk.api.log()["requests"]) == calls


async def test_a_run_that_needs_a_yes_to_its_price_sends_nothing_before_it(desk: Desk) -> None:
    service = desk.service()
    order = replace(ORDER, agent="deep-research-max-preview-04-2026")
    job, _ = await service.start(order, confirm=True)
    assert await lines(service, job) == []
    assert ((await service.job(job.id)).state, desk.creates) == (State.AWAITING_APPROVAL, 0)
    await service.approve(job.id)
    await lines_while_time_passes(desk, service, job)
    assert ((await service.job(job.id)).state, desk.creates) == (State.COMPLETED, 1)


async def test_a_question_about_a_report_continues_the_interaction_of_the_research(desk: Desk, brain: Brain) -> None:
    service = desk.service()
    job = await finished(desk, service)
    answer = await service.follow_ups.ask_once(job.id, "What moves the sea?", "gemini-3.8-flash")
    assert answer == "The moon."
    assert any("The moon moves the sea" in str(step) for step in brain.turns[-1].steps)


async def test_a_question_uses_the_saved_report_when_the_server_deleted_the_interaction(
    desk: Desk, brain: Brain
) -> None:
    service = desk.service()
    job = await finished(desk, service)
    await service._client.delete(job.interaction_id or "")
    answer = await service.follow_ups.ask_once(job.id, "What moves the sea?", "gemini-3.8-flash")
    assert answer == "The moon."
    assert "The moon moves the sea" in brain.turns[-1].steps[-1]["content"][0]["text"]


async def test_a_question_before_there_is_a_report_is_refused(desk: Desk) -> None:
    service = desk.service()
    job, _ = await service.start(ORDER)
    with pytest.raises(NotFinished, match=r"no report to ask about: it is [a-z ]+$"):
        await service.follow_ups.ask_once(job.id, "And?", "gemini-3.8-flash")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Quotas(at_once=1), "1 research runs are under way already"),
        (Quotas(per_day=1), "1 research runs and plans were started in the last 24 hours"),
        (Quotas(usd_per_day=3), r"up to \$3.00 were spent"),
    ],
)
async def test_a_limit_refuses_a_new_order_but_not_a_repeat_of_the_same_order(
    desk: Desk, limits: Quotas, message: str
) -> None:
    service = desk.service()
    job, _ = await service.start(ORDER, limits=limits)
    assert (await service.start(ORDER, limits=limits))[0].id == job.id
    with pytest.raises(LimitReached, match=message):
        await service.start(replace(ORDER, brief="Another"), limits=limits)
    await service.start(replace(ORDER, brief="Another", user="bob"), limits=limits)


async def test_forgetting_deletes_job_report_and_interaction_and_returns_a_receipt(desk: Desk) -> None:
    service = desk.service()
    job = await finished(desk, service)
    receipt = await service.forget(job.id)
    assert receipt == [
        f"interaction {job.interaction_id}: deleted at the server",
        f"{job.id}: deleted from the ledger, with its report",
    ]
    assert desk.api.interactions() == []
    with pytest.raises(UnknownJob):
        await service.job(job.id)


async def test_a_report_is_kept_if_the_server_refuses_to_delete_it_unless_forced(desk: Desk) -> None:
    service = desk.service()
    job = await finished(desk, service)
    desk.api.faults({"on": "delete", "status": 403, "times": 0})
    with pytest.raises(NotDeleted, match=f"{job.interaction_id}: the server refused .* desk forget {job.id} --force"):
        await service.forget(job.id)
    assert await service.report(job.id)
    assert "the server refused" in (await service.forget(job.id, force=True))[0]
    with pytest.raises(UnknownJob):
        await service.job(job.id)


async def test_a_job_of_another_server_is_forgotten_only_if_forced_and_without_a_request(desk: Desk) -> None:
    job = await finished(desk, desk.service())
    elsewhere = desk.service(name="another")
    asked = len(desk.api.log()["requests"])
    with pytest.raises(WrongBackend, match="this process talks to another"):
        await elsewhere.forget(job.id)
    assert await elsewhere.report(job.id)
    assert "left alone at" in (await elsewhere.forget(job.id, force=True))[0]
    assert len(desk.api.log()["requests"]) == asked


async def test_a_brief_and_its_files_are_sent_together_as_input(desk: Desk, brain: Brain) -> None:
    service = desk.service()
    picture = {"type": "image", "mime_type": "image/png", "data": "iVBORw0KGgo="}
    job, _ = await service.start(replace(ORDER, inputs=(picture,)))
    await lines_while_time_passes(desk, service, job)
    assert [part["type"] for part in brain.turns[0].steps[0]["content"]] == ["text", "image"]


async def test_two_processes_that_watch_one_job_open_one_stream(desk: Desk) -> None:
    first, second = desk.service(), desk.service()
    job, watching = await begin(desk, first)
    other = second.watch(job.id)
    assert await anext(other) == FOLLOWED_ELSEWHERE
    await desk.pass_time(3000)
    await watching
    assert [line async for line in other if line in LINES] == LINES[2:]
    streams = [r for r in desk.api.log()["requests"] if r["kind"] in ("create_stream", "resume")]
    assert len(streams) == 1


async def test_a_dead_follower_is_replaced_when_its_lease_expires(desk: Desk) -> None:
    dead = desk.service()
    job, watching = await begin(desk, dead)
    watching.cancel()
    task = dead._tasks.ensure(job).task
    assert task
    dead.ledger.release_lease = _nothing  # type: ignore[method-assign]
    await dead.close()
    living = desk.service()
    assert await living.ledger.take_lease(job.id, dead._worker.leases.owner, living._clock() - 1, 1.05)
    shown = await lines_while_time_passes(desk, living, job)
    assert [line for line in shown if line in LINES] == LINES[2:]
    assert ((await living.job(job.id)).state, desk.creates) == (State.COMPLETED, 1)


async def test_a_follower_whose_lease_expired_yields_to_the_process_that_took_it(desk: Desk, later: Later) -> None:
    sleeper, other = desk.service(), desk.service()
    job, watching = await begin(desk, sleeper)
    then = other._clock() + 1000  # as if the lease had expired while the process was suspended
    assert await other.ledger.take_lease(job.id, other._worker.leases.owner, then, 5)
    later(4)  # when the sleeper renews its lease
    taken = asyncio.create_task(lines_while_time_passes(desk, other, job))
    shown = await watching
    assert FOLLOWED_ELSEWHERE in shown
    assert [line for line in shown if line in LINES] == LINES  # it also shows the lines that the other process writes
    assert [line for line in await taken if line in LINES] == LINES[2:]
    assert ((await other.job(job.id)).state, desk.creates) == (State.COMPLETED, 1)


@pytest.mark.nightly
async def test_more_than_100_research_runs_proceed_in_parallel(desk: Desk) -> None:
    service = desk.service(create_timeout_s=60)
    jobs = [(await service.start(replace(ORDER, brief=f"Tides {n}")))[0] for n in range(108)]
    watching = [asyncio.create_task(lines(service, job)) for job in jobs]
    while desk.creates < len(jobs):
        await asyncio.sleep(0.1)
    while not all(task.done() for task in watching):
        await desk.pass_time(300)
        await asyncio.sleep(0.1)
    assert {(await service.job(job.id)).state for job in jobs} == {State.COMPLETED}
    assert desk.creates == len(jobs)


async def _nothing(job_id: str, owner: str) -> None:
    """Releases no lease, like a process that has died."""


async def test_close_waits_for_the_interaction_id_of_a_create_in_flight(desk: Desk) -> None:
    service = desk.service()
    job, _ = await service.start(ORDER)
    while (await service.job(job.id)).state is not State.STARTING:
        await asyncio.sleep(0)
    await service.close()
    job = await desk.service().job(job.id)
    assert (job.state, job.interaction_id) == (State.RUNNING, desk.api.interactions()[0]["id"])


async def test_repeated_orders_after_a_refused_attempt_share_one_new_job(desk: Desk) -> None:
    desk.api.faults({"on": "create", "status": 403})
    service = desk.service()
    refused, _ = await service.start(ORDER)
    await lines(service, refused)
    second, new = await service.start(ORDER)
    assert new
    joined, new = await service.start(ORDER)
    assert (joined.id, new) == (second.id, False)
