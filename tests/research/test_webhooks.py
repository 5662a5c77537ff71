"""A webhook's message names a run whose start was lost; it is a hint, so the run has to be the job's at the API."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interactions_emulator.brain.protocol import Brain, TimedStep, Turn
from tests.conftest import Desk, Later
from tests.research.test_promises import LINES, ORDER, lines, lines_while_time_passes
from tests.scripts import research_brain, said
from tools.interactions.resources import Event
from tools.research.api_client import CreateRequest, InteractionsClient
from tools.research.api_errors import ApiError, NotFound
from tools.research.incoming_webhooks import MAX_READS_PER_MINUTE, is_run_of
from tools.research.job import Job, Kind, Plan, new_job
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.research.service import Research
from tools.researcher.run_texts import CLI_STEPS, outcome

NOWHERE = "http://127.0.0.1:9/webhooks/research"
"""An address on which nothing listens: these tests pass the messages on themselves."""
LOST: dict[str, Any] = {"on": "create", "after_accept": True}
PLANNED = replace(ORDER, brief="Plan it first", options={"collaborative_planning": True})


@pytest.fixture
def brain() -> Brain:
    def plan_or_research(turn: Turn) -> Iterator[TimedStep]:
        if turn.agent_config.get("collaborative_planning"):
            yield TimedStep(60, said("1. Look at the moon."))
        else:
            yield from research_brain(turn)

    return plan_or_research


async def lost_start(desk: Desk, service: Research, order: Order = ORDER) -> tuple[Job, str]:
    """Starts a run and loses the answer. Returns the job, and the id of its interaction, which has not ended."""
    desk.api.faults(LOST)
    job, _ = await service.start(order)
    await lines(service, job)
    job = await service.job(job.id)
    assert (job.state, job.interaction_id) == (State.START_UNKNOWN, None)
    return job, interactions(desk)[-1]["id"]


def interactions(desk: Desk) -> list[dict[str, Any]]:
    return list(desk.api.interactions())


async def state(service: Research, job: Job) -> tuple[State, bool]:
    """The job's state, and whether its report is saved."""
    return (await service.job(job.id)).state, await service.report(job.id) is not None


async def test_a_lost_start_is_found_by_its_message_and_ends_with_its_report(desk: Desk) -> None:
    service = desk.service(webhook=NOWHERE)
    job, interaction_id = await lost_start(desk, service)
    said = outcome(job)
    assert "a webhook names it when it ends" in said and f"“start again {job.id}”" in said
    await desk.pass_time(3000)
    assert await service.webhooks.handle(interaction_id, job.id) == f"it is the lost run of {job.id}"
    found = await service.job(job.id)
    assert (found.state, found.interaction_id, found.error) == (State.COMPLETED, interaction_id, "")
    report = await service.report(job.id)
    assert report and report.title == "Tides"
    assert (await service.ledger.lines(found), desk.creates) == (LINES, 1)
    assert [(entry.kind, bool(entry.usage)) for entry in await service.ledger.spending()] == [(Kind.RUN, True)]


async def test_the_words_promise_a_message_only_if_the_run_has_a_webhook(desk: Desk) -> None:
    job, _ = await lost_start(desk, desk.service())
    assert "webhook" not in outcome(job)


async def test_a_start_whose_process_died_is_found_by_its_message(desk: Desk) -> None:
    service = desk.service(webhook=NOWHERE)
    job, interaction_id = await lost_start(desk, service)
    await service.ledger.change(job.id, {State.START_UNKNOWN}, 0, state=State.STARTING, error="")
    await service.ledger.take_lease(job.id, "dead", now=0, seconds=10)
    await desk.pass_time(3000)
    await desk.service().webhooks.handle(interaction_id, job.id)
    assert (await state(service, job), desk.creates) == ((State.COMPLETED, True), 1)


async def test_lost_starts_of_plans_and_of_runs_with_a_base_are_found(desk: Desk) -> None:
    service = desk.service(webhook=NOWHERE)
    planned, plan_id = await lost_start(desk, service, PLANNED)
    await desk.pass_time(100)
    await service.webhooks.handle(plan_id, planned.id)
    waits = await service.job(planned.id)
    assert waits.state is State.AWAITING_APPROVAL and waits.plan and waits.plan.text == "1. Look at the moon."
    desk.api.faults(LOST)
    await service.approve(planned.id)
    await lines(service, planned)
    await service.webhooks.handle(plan_id, planned.id)  # again, and it is not the run
    assert (await state(service, planned))[0] is State.START_UNKNOWN
    await desk.pass_time(3000)
    await service.webhooks.handle(interactions(desk)[-1]["id"], planned.id)
    assert await state(service, planned) == (State.COMPLETED, True)
    deeper, deeper_id = await lost_start(desk, service, await service.with_base(planned.id, replace(ORDER, brief="On")))
    await desk.pass_time(3000)
    await service.webhooks.handle(deeper_id, deeper.id)
    assert (await state(service, deeper), desk.creates) == ((State.COMPLETED, True), 3)


async def test_messages_that_come_twice_and_on_two_replicas_at_once_do_no_harm(desk: Desk) -> None:
    first, second = desk.service(webhook=NOWHERE), desk.service(webhook=NOWHERE)
    job, interaction_id = await lost_start(desk, first)
    early = await first.webhooks.handle(interaction_id, job.id)  # out of order: the run has not ended
    assert (early, (await state(first, job))[0]) == (f"it is the lost run of {job.id}", State.RUNNING)
    again, other_id = await lost_start(desk, second, replace(ORDER, brief="Again"))
    await desk.pass_time(3000)
    both = [(interaction_id, job.id), (other_id, again.id)]
    await asyncio.gather(*(service.webhooks.handle(*ids) for service in (first, second) for ids in both * 2))
    for known in (job, again):
        assert await state(first, known) == (State.COMPLETED, True)
    assert await first.webhooks.handle(interaction_id, job.id) == f"{job.id} is over, so nothing was done"
    assert desk.creates == 2


async def test_messages_of_strangers_about_a_run_cause_a_few_reads_a_minute_and_do_not_keep_its_own_away(
    desk: Desk,
) -> None:
    now = [time.time()]
    service = desk.service(webhook=NOWHERE, clock=lambda: now[0])
    job, _ = await service.start(ORDER)
    await lines_while_time_passes(desk, service, job)
    running, _ = await service.start(replace(ORDER, brief="Another"))
    while not (own := (await service.job(running.id)).interaction_id):
        await asyncio.sleep(0.001)

    async def flood(job_id: str) -> int:
        """Sends messages about interactions that do not exist. Returns how many caused a read."""
        before = len(desk.api.log()["requests"])
        for number in range(MAX_READS_PER_MINUTE + 5):
            with suppress(ApiError):
                await service.webhooks.handle(f"v1_forged{number}", job_id)
        return len(desk.api.log()["requests"]) - before

    assert [await flood(job.id), await flood(job.id), await flood(running.id)] == [
        MAX_READS_PER_MINUTE,
        0,
        MAX_READS_PER_MINUTE,
    ]
    await desk.pass_time(3000)
    await service.webhooks.handle(own, running.id)
    assert await state(service, running) == (State.COMPLETED, True)
    now[0] += 60
    assert await flood(job.id) == MAX_READS_PER_MINUTE


class SlowAnswers(InteractionsClient):
    """A client that gets the answers to its creates when `arrived` is set."""

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.arrived = asyncio.Event()

    async def create(self, request: CreateRequest) -> AsyncGenerator[Event, None]:
        async for event in super().create(request):
            await self.arrived.wait()
            yield event


async def started_without_an_answer(desk: Desk, ledger: Path) -> tuple[Research, SlowAnswers, Research, Job]:
    """Another replica, and a service with its client whose job has a run, while the answer to its create is awaited."""
    other = desk.service(webhook=NOWHERE)
    client = SlowAnswers(lambda: desk.transports[0], webhook_url=lambda: NOWHERE)
    service = Research(Ledger(f"sqlite+aiosqlite:///{ledger}/ledger.db"), client, sleep=desk.pass_time)
    desk.services.append(service)
    job, _ = await service.start(ORDER)
    while not interactions(desk):
        await asyncio.sleep(0.001)
    return other, client, service, job


@pytest.mark.parametrize("arrives", [True, False], ids=["later", "never"])
async def test_a_message_before_the_answer_to_create_is_kept_and_the_run_goes_on(
    desk: Desk, arrives: bool, tmp_path: Path, later: Later, caplog: pytest.LogCaptureFixture
) -> None:
    other, client, service, job = await started_without_an_answer(desk, tmp_path)
    (interaction,) = interactions(desk)
    assert (await other.job(job.id)).state is State.STARTING
    assert await other.webhooks.handle(interaction["id"], job.id) == f"it is the lost run of {job.id}"
    if arrives:
        client.arrived.set()
    else:
        later(60)  # the create times out
    await asyncio.gather(lines_while_time_passes(desk, other, job), lines(service, job))
    assert (await state(other, job), desk.creates) == ((State.COMPLETED, True), 1)
    assert "second time" not in caplog.text
    assert [request for request in desk.api.log()["requests"] if request["kind"] == "cancel"] == []


async def test_a_run_that_was_started_again_meanwhile_and_the_lost_one_are_both_kept(desk: Desk) -> None:
    service = desk.service(webhook=NOWHERE)
    job, interaction_id = await lost_start(desk, service)
    again = await service.start_again(job)
    await lines_while_time_passes(desk, service, again)
    await service.webhooks.handle(interaction_id, job.id)
    assert [await state(service, known) for known in (job, again)] == [(State.COMPLETED, True)] * 2
    assert len({(await service.job(known.id)).interaction_id for known in (job, again)}) == 2
    assert [(entry.job, entry.kind) for entry in await service.ledger.spending()] == [
        (job.id, Kind.RUN),
        (again.id, Kind.RUN),
    ]


async def test_a_message_about_what_is_not_the_jobs_run_changes_nothing(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    service = desk.service(webhook=NOWHERE)
    lost, _ = await lost_start(desk, service)
    other, other_id = await lost_start(desk, service, replace(ORDER, brief="Another"))
    running, _ = await service.start(replace(ORDER, brief="Known"))
    await lines_while_time_passes(desk, service, running)
    before = [await service.job(job.id) for job in (lost, other, running)]
    handle = service.webhooks.handle
    assert "not the run" in await handle(other_id, lost.id)  # another job's
    assert f"interaction {other_id} is the run of {lost.id}, and it is not" in caplog.text
    assert "is over" in await handle(before[2].interaction_id or "", lost.id)  # it has a job: that job counts
    assert "no job here" in await handle(other_id, "job_22222222")
    assert "no job here" in await handle(other_id, "")
    assert "no job here" in await handle("v1_other", "' OR 1=1 --")
    with pytest.raises(ApiError):  # perhaps later: the message is delivered again
        await handle("v1_nothing_there", lost.id)
    assert [await service.job(job.id) for job in (lost, other, running)] == before
    posts = [request for request in desk.api.log()["requests"] if request["method"] != "GET"]
    assert len(posts) == desk.creates == 3


async def test_a_second_run_of_a_job_is_logged_and_the_first_one_kept(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    service = desk.service(webhook=NOWHERE)
    job, interaction_id = await lost_start(desk, service)
    request = (await service.job(job.id)).request
    async for event in InteractionsClient(lambda: desk.transports[0], webhook_url=lambda: NOWHERE).create(request):
        second = event["interaction"]["id"]  # as a proxy that sends a create again
        break
    await desk.pass_time(3000)
    await service.webhooks.handle(interaction_id, job.id)
    assert "needs no other run" in await service.webhooks.handle(second, job.id)
    assert f"{job.id} (completed, interaction {interaction_id}) was started a second time" in caplog.text
    assert (await service.job(job.id)).interaction_id == interaction_id


async def test_a_cancelled_lost_start_is_cancelled_at_the_server_when_it_turns_up(desk: Desk) -> None:
    service = desk.service(webhook=NOWHERE)
    job, interaction_id = await lost_start(desk, service)
    assert (await service.cancel(job.id)).may_run
    assert "is cancelled at the server" in await service.webhooks.handle(interaction_id, job.id)
    job = await service.job(job.id)
    assert (job.state, job.interaction_id, job.may_run, job.error) == (State.CANCELLED, interaction_id, False, "")
    assert [run["status"] for run in interactions(desk)] == ["cancelled"]


@pytest.mark.parametrize("refused", [False, True], ids=["start unknown", "cancel refused"])
async def test_a_run_that_ends_although_it_was_cancelled_keeps_the_report_that_was_paid_for(
    desk: Desk, refused: bool
) -> None:
    service = desk.service(webhook=NOWHERE)
    job, interaction_id = await lost_start(desk, service)
    if refused:
        await service.webhooks.handle(interaction_id, job.id)
        desk.api.faults({"on": "cancel", "status": 404})
    assert (await service.cancel(job.id)).may_run
    await desk.pass_time(3000)
    await service.webhooks.handle(interaction_id, job.id)
    assert (await state(service, job), (await service.job(job.id)).may_run) == ((State.COMPLETED, True), False)


async def test_a_deleted_job_is_not_brought_back_by_a_message(desk: Desk) -> None:
    service = desk.service(webhook=NOWHERE)
    job, interaction_id = await lost_start(desk, service)
    await service.forget(job.id, force=True)
    await desk.pass_time(3000)
    assert "no job here" in await service.webhooks.handle(interaction_id, job.id)
    assert await service.ledger.get(job.id) is None


@pytest.mark.parametrize("status", [404, 401, 503])
async def test_a_message_that_cannot_be_checked_has_to_be_delivered_again(desk: Desk, status: int) -> None:
    service = desk.service(webhook=NOWHERE)
    job, interaction_id = await lost_start(desk, service)
    await desk.pass_time(3000)
    desk.api.faults({"on": "get", "status": status})
    with pytest.raises(ApiError):
        await service.webhooks.handle(interaction_id, job.id)
    assert await state(service, job) == (State.START_UNKNOWN, False)
    await service.webhooks.handle(interaction_id, job.id)
    assert await state(service, job) == (State.COMPLETED, True)


@pytest.mark.parametrize(("status", "after_s"), [(404, 3600), (400, 0)])
async def test_a_message_about_what_the_api_does_not_have_is_not_delivered_for_longer_than_a_run_takes(
    desk: Desk, status: int, after_s: float
) -> None:
    now = [time.time()]
    service = desk.service(webhook=NOWHERE, clock=lambda: now[0])
    lost, _ = await lost_start(desk, service)
    known, _ = await service.start(replace(ORDER, brief="Known"))
    await lines_while_time_passes(desk, service, known)
    known = await service.job(known.id)
    await service.ledger.change(known.id, {State.COMPLETED}, now[0], state=State.EXPIRED)
    desk.api.faults({"on": "get", "status": status, "times": 100})
    named = (("v1_nothing_there", lost.id), ("v1_nothing_there", known.id), (known.interaction_id or "", known.id))
    if after_s:
        now[0] += after_s - 1
        for interaction_id, job_id in named:
            with pytest.raises(NotFound):  # perhaps later: the message is delivered again
                await service.webhooks.handle(interaction_id, job_id)
        now[0] += 2
    for interaction_id, job_id in named:
        assert "the API does not have it" in await service.webhooks.handle(interaction_id, job_id)
    assert await state(service, lost) == (State.START_UNKNOWN, False)


def test_the_metadata_decides_whose_run_it_is_and_without_it_agent_chain_and_input() -> None:
    job = new_job(replace(ORDER, previous="v1_base"), 0)
    plan = replace(job, plan=Plan("1. Look.", "v1_plan", reply="Go ahead.", approved=True))

    def resource(text: str = ORDER.brief, previous: str = "v1_base", **more: Any) -> dict[str, Any]:
        step = {"type": "user_input", "content": [{"type": "text", "text": text}]}
        return {"agent": ORDER.agent, "previous_interaction_id": previous, "steps": [step], **more}

    named = {"webhook_config": {"user_metadata": {"job": job.id}}}
    assert is_run_of(job, named) and is_run_of(job, resource())
    assert is_run_of(plan, resource("Go ahead.", "v1_plan"))
    for wrong in (
        resource(webhook_config={"user_metadata": {"job": "job_22222222"}}),
        resource("Why is there wind?"),
        resource(previous="v1_other"),
        resource(agent="another"),
        resource(webhook_config="?", steps=[]),
    ):
        assert not is_run_of(job, wrong)
    assert not is_run_of(plan, resource("Go ahead.", "v1_other_plan"))


async def test_a_server_that_refuses_webhooks_fails_the_start_and_names_the_setting(desk: Desk) -> None:
    body = '{"error": {"code": 400, "message": "Unknown name \\"webhook_config\\"", "status": "INVALID_ARGUMENT"}}'
    desk.api.faults({"on": "create", "status": 400, "body": body, "headers": {"content-type": "application/json"}})
    service = desk.service(webhook=NOWHERE)
    job, _ = await service.start(ORDER)
    await lines(service, job)
    job = await service.job(job.id)
    assert (job.state, desk.creates) == (State.FAILED, 0)
    assert "nothing was started" in job.error and "DESK_WEBHOOKS=0" in job.error


async def test_a_run_that_was_accepted_and_never_shown_says_so_and_is_found_if_the_server_shows_it(
    desk: Desk,
) -> None:
    desk.api.faults("accepted_then_404")
    service = desk.service(webhook=NOWHERE)
    job, _ = await service.start(ORDER)
    await lines_while_time_passes(desk, service, job)
    job = await service.job(job.id)
    assert (job.state, job.may_run, desk.creates) == (State.EXPIRED, True, 1)
    said = outcome(job, CLI_STEPS)
    assert all(words in said for words in ("never showed it", "may be billed", f"`desk attach {job.id}`", "--again"))
    assert (await service.start(ORDER))[0].id == job.id  # it is not started again by itself
    await desk.pass_time(3000)
    with pytest.raises(ApiError):
        await service.webhooks.handle(job.interaction_id or "", job.id)
    desk.api.faults()
    await service.webhooks.handle(job.interaction_id or "", job.id)
    assert (await state(service, job), (await service.job(job.id)).may_run) == ((State.COMPLETED, True), False)


async def test_an_answer_that_names_a_second_run_neither_replaces_nor_cancels_the_first(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other, client, service, job = await started_without_an_answer(desk, tmp_path)
    request = (await service.job(job.id)).request
    async for event in InteractionsClient(lambda: desk.transports[0], webhook_url=lambda: NOWHERE).create(request):
        twin = event["interaction"]["id"]  # as a proxy that sends a create again
        break
    await other.webhooks.handle(twin, job.id)
    client.arrived.set()
    await asyncio.gather(lines_while_time_passes(desk, other, job), lines(service, job))
    assert ((await service.job(job.id)).interaction_id, await state(service, job)) == (twin, (State.COMPLETED, True))
    assert f"{job.id} (running, interaction {twin}) was started a second time" in caplog.text
    assert [run["status"] for run in interactions(desk)] == ["completed"] * 2
