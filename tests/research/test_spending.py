"""The cost of research is recorded when it is spent, and nothing gets around a limit."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interactions_emulator.brain.protocol import Brain, TimedStep, Turn
from tests.conftest import Desk
from tests.research.test_promises import ORDER, lines, lines_while_time_passes
from tests.scripts import research_brain, said
from tools.interactions.resources import Event
from tools.research.api_client import CreateRequest
from tools.research.job import Job, Kind, new_job
from tools.research.job_errors import WrongBackend
from tools.research.job_states import State
from tools.research.order import Order
from tools.research.quotas import STILL_RUNS_S, LimitReached, Quotas
from tools.research.rows import row_of
from tools.research.service import Research
from tools.research.settings import ResearchSettings
from tools.settings import DAY_S

MODEL = "gemini-3.8-flash"
MAX = "deep-research-max-preview-04-2026"
PLANNED = replace(ORDER, options={"collaborative_planning": True})
ROOMY = Quotas(at_once=100, per_day=100, usd_per_day=1000, plans_per_job=100)


@pytest.fixture
def brain() -> Brain:
    """The scripted research; plans if asked to; a model answers questions."""

    def think(turn: Turn) -> Iterator[TimedStep]:
        if not turn.is_agent:
            yield TimedStep(0, said("The moon."))
        elif turn.agent_config.get("collaborative_planning"):
            yield TimedStep(60, said("1. Look at the sea."))
        else:
            yield from research_brain(turn)

    return think


class Clock:
    """A clock in seconds since the epoch that a test moves."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


async def kinds(service: Research) -> list[Kind]:
    return [entry.kind for entry in await service.ledger.spending()]


async def end(desk: Desk, service: Research, job: Job) -> Job:
    """The job once it has ended or waits for a person."""
    await lines_while_time_passes(desk, service, job)
    return await service.job(job.id)


async def run(desk: Desk, service: Research, brief: str, limits: Quotas | None = None) -> Job:
    """A finished run."""
    job, new = await service.start(replace(ORDER, brief=brief), limits=limits)
    assert new
    job = await end(desk, service, job)
    assert job.state is State.COMPLETED
    return job


async def running(service: Research, brief: str, limits: Quotas | None = None) -> Job:
    """A run that the server has started."""
    job, new = await service.start(replace(ORDER, brief=brief), limits=limits)
    assert new
    while not (job := await service.job(job.id)).interaction_id:
        await asyncio.sleep(0.001)
    return job


async def test_every_accepted_create_is_recorded_once_with_its_kind(desk: Desk) -> None:
    service = desk.service()
    await run(desk, service, "Waves")
    job, _ = await service.start(PLANNED)
    await end(desk, service, job)
    await service.revise(job.id, "shorter")
    await end(desk, service, job)
    await service.approve(job.id)
    assert (await end(desk, service, job)).state is State.COMPLETED
    assert await kinds(service) == [Kind.RUN, Kind.PLAN, Kind.REVISION, Kind.RUN]
    assert desk.creates == 4


async def test_a_price_that_is_pending_or_declined_spends_nothing(desk: Desk) -> None:
    service = desk.service()
    job, _ = await service.start(ORDER, confirm=True)
    assert await lines(service, job) == []
    await service.cancel(job.id)
    assert (await kinds(service), desk.creates) == ([], 0)


async def test_a_create_that_is_retried_is_counted_once(desk: Desk) -> None:
    desk.api.faults({"on": "create", "status": 429, "retry_after_ms": 1, "times": 2})
    service = desk.service()
    await run(desk, service, "Tides")
    assert (await kinds(service), desk.creates) == ([Kind.RUN], 1)


@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 429, "retry_after_ms": 300_000}], ids=str)
async def test_a_run_that_the_server_refused_to_start_is_not_counted(desk: Desk, fault: dict[str, object]) -> None:
    desk.api.faults({"on": "create", **fault})
    service, limits = desk.service(), Quotas(at_once=1, per_day=1, usd_per_day=3)
    job, _ = await service.start(ORDER, limits=limits)
    assert (await end(desk, service, job)).state is State.FAILED
    assert (await kinds(service), desk.creates) == ([], 0)
    await run(desk, service, ORDER.brief, limits)


async def test_an_unknown_start_and_its_repeat_are_both_counted(desk: Desk) -> None:
    desk.api.faults({"on": "create", "after_accept": True})
    service = desk.service()
    job, _ = await service.start(ORDER)
    assert (await end(desk, service, job)).state is State.START_UNKNOWN
    assert await kinds(service) == [Kind.RUN]
    await end(desk, service, await service.start_again(await service.job(job.id)))
    assert (await kinds(service), desk.creates) == ([Kind.RUN, Kind.RUN], 2)


async def test_the_usage_of_a_finished_run_is_stored_with_its_estimate(desk: Desk) -> None:
    service = desk.service()
    job = await run(desk, service, "Tides")
    [entry] = await service.ledger.spending()
    assert (entry.job, entry.user, entry.agent, entry.estimate) == (job.id, "ada", ORDER.agent, 3.0)
    assert entry.usage == job.usage
    assert entry.usage["total_tokens"] > 0


async def test_a_question_is_recorded_with_its_model_and_does_not_count_as_a_create(desk: Desk) -> None:
    service, limits = desk.service(), only(per_day=1)
    job = await run(desk, service, "Tides", limits)
    await service.follow_ups.ask_once(job.id, "Who moves the sea?", MODEL, limits=limits)
    entry = (await service.ledger.spending())[-1]
    assert (entry.kind, entry.agent, entry.job, entry.estimate) == (Kind.QUESTION, MODEL, job.id, 0.1)


async def test_a_question_over_the_daily_dollar_limit_is_not_sent(desk: Desk) -> None:
    service = desk.service()
    job = await run(desk, service, "Tides")
    asked = len(desk.api.log()["requests"])
    with pytest.raises(LimitReached, match=r"\$3\.00 were spent .* may cost \$0\.10 \(limit \$3\.05\)"):
        await service.follow_ups.ask_once(job.id, "Who?", MODEL, limits=only(usd_per_day=3.05))
    assert len(desk.api.log()["requests"]) == asked
    assert await kinds(service) == [Kind.RUN]


def only(**values: float) -> Quotas:
    """Quotas of which only the given limits can be reached."""
    return ROOMY.model_copy(update=values)


Around = Callable[[Desk, Research, Quotas], Awaitable[None]]


async def cancelling(desk: Desk, service: Research, limits: Quotas) -> None:
    """A run that is cancelled."""
    job = await running(service, "Cancelled", limits)
    assert (await service.cancel(job.id)).state is State.CANCELLED


async def forgetting(desk: Desk, service: Research, limits: Quotas) -> None:
    """A finished run whose job and report are deleted."""
    await service.forget((await run(desk, service, "Forgotten", limits)).id)
    assert await service.jobs("ada") == []


async def repeating(desk: Desk, service: Research, limits: Quotas) -> None:
    """A cancelled run, and a refused attempt to repeat it."""
    await service.cancel((await running(service, "Repeated", limits)).id)
    [job] = await service.jobs("ada")
    with pytest.raises(LimitReached):
        await service.start_again(job, limits=limits)


async def planning(desk: Desk, service: Research, limits: Quotas) -> None:
    """A plan, a refused attempt to revise it, and its cancellation."""
    job, _ = await service.start(replace(PLANNED, brief="Planned"), limits=limits)
    assert (await end(desk, service, job)).state is State.AWAITING_APPROVAL
    with pytest.raises(LimitReached):
        await service.revise(job.id, "shorter", limits=limits)
    assert (await service.job(job.id)).state is State.AWAITING_APPROVAL
    await service.cancel(job.id)


async def approving_later(desk: Desk, service: Research, limits: Quotas) -> None:
    """Two prices that were quoted while the limit allowed both, of which only the first can be approved."""
    orders = [replace(ORDER, brief=brief) for brief in ("First", "Second")]
    first, second = [(await service.start(order, limits=limits, confirm=True))[0] for order in orders]
    await service.approve(first.id, limits=limits)
    await end(desk, service, first)
    with pytest.raises(LimitReached):
        await service.approve(second.id, limits=limits)
    assert (await service.job(second.id)).state is State.AWAITING_APPROVAL


@pytest.mark.parametrize(
    "around", [cancelling, forgetting, repeating, planning, approving_later], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("limits", [{"per_day": 1}, {"usd_per_day": 3}], ids=["per_day", "usd_per_day"])
async def test_cancelling_deleting_or_repeating_does_not_get_around_a_daily_limit(
    desk: Desk, around: Around, limits: dict[str, float]
) -> None:
    if around is planning and "usd_per_day" in limits:
        limits = {"usd_per_day": 1.5}  # a plan counts for a dollar
    service = desk.service()
    await around(desk, service, only(**limits))
    creates = desk.creates
    with pytest.raises(LimitReached):
        await service.start(replace(ORDER, brief="One more"), limits=only(**limits))
    assert (desk.creates, len(await kinds(service))) == (creates, creates) == (1, 1)


async def test_daily_limits_count_the_last_24_hours(desk: Desk) -> None:
    clock = Clock()
    service, limits = desk.service(clock=clock), only(per_day=1)
    await run(desk, service, "Tides", limits)
    clock.now += DAY_S - 60
    with pytest.raises(LimitReached, match=r"1 research runs and plans were started in the last 24 hours \(limit 1\)"):
        await service.start(replace(ORDER, brief="Waves"), limits=limits)
    clock.now += 120
    await run(desk, service, "Waves", limits)


@pytest.mark.parametrize("forgotten", [False, True], ids=["cancelled", "forgotten"])
async def test_a_run_whose_cancel_the_server_refused_counts_as_running_for_an_hour(desk: Desk, forgotten: bool) -> None:
    clock = Clock()
    service, limits = desk.service(clock=clock), only(at_once=1)
    job = await running(service, "Tides", limits)
    desk.api.faults({"on": "cancel", "status": 404})
    await (service.forget(job.id) if forgotten else service.cancel(job.id))
    clock.now += STILL_RUNS_S - 60
    with pytest.raises(LimitReached, match=r"1 research runs are under way already \(limit 1\): wait or cancel one"):
        await service.start(replace(ORDER, brief="Waves"), limits=limits)
    assert desk.creates == 1
    clock.now += 120
    await running(service, "Waves", limits)


async def test_a_cancelled_run_no_longer_counts_as_running(desk: Desk) -> None:
    service, limits = desk.service(), only(at_once=1)
    job = await running(service, "Tides", limits)
    await service.cancel(job.id)
    await service.cancel((await running(service, "Waves", limits)).id)


async def test_an_unknown_start_stops_counting_as_running_once_its_cancel_is_confirmed(desk: Desk) -> None:
    service, limits = desk.service(), only(at_once=1)
    create, answered = service._client.create, asyncio.Event()

    async def slow(request: CreateRequest) -> AsyncGenerator[Event, None]:
        await answered.wait()
        async for event in create(request):
            yield event

    service._client.create = slow  # type: ignore[method-assign]
    job, _ = await service.start(ORDER, limits=limits)
    await reaches(service, job, State.STARTING)
    await service.ledger.change(job.id, {State.STARTING}, 0, state=State.START_UNKNOWN)
    cancelling = asyncio.create_task(service.cancel(job.id))
    assert (await reaches(service, job, State.CANCELLED)).may_run
    answered.set()
    await cancelling
    assert [line["status"] for line in desk.api.interactions()] == ["cancelled"]
    job = await service.job(job.id)
    assert (job.may_run, job.error) == (False, "")
    await running(service, "Waves", limits)


async def reaches(service: Research, job: Job, state: State) -> Job:
    """The job when it is in a state."""
    while (found := await service.job(job.id)).state is not state:
        await asyncio.sleep(0)
    return found


async def test_a_sixth_plan_is_refused_and_the_job_can_still_be_approved(desk: Desk) -> None:
    service, limits = desk.service(), only(plans_per_job=5)
    job, _ = await service.start(PLANNED, limits=limits)
    for number in range(4):
        await end(desk, service, job)
        await service.revise(job.id, f"another, {number}", limits=limits)
    waiting = await end(desk, service, job)
    with pytest.raises(LimitReached, match=rf"{job.id} has had 5 plans \(limit 5\): approve its plan, or cancel it"):
        await service.revise(job.id, "one more", limits=limits)
    assert await service.job(job.id) == waiting
    assert (waiting.state, desk.creates) == (State.AWAITING_APPROVAL, 5)
    await service.approve(job.id, limits=limits)
    assert (await end(desk, service, job)).state is State.COMPLETED
    assert await kinds(service) == [Kind.PLAN, *[Kind.REVISION] * 4, Kind.RUN]


async def test_an_order_over_the_limit_of_waiting_ones_is_refused_and_a_deleted_one_makes_room(desk: Desk) -> None:
    service, limits = desk.service(), only(waiting=1)
    waiting, _ = await service.start(ORDER, limits=limits, confirm=True)
    other = replace(ORDER, brief="Another brief")
    with pytest.raises(LimitReached, match=r"wait for a yes already \(limit 1\): approve or cancel some first"):
        await service.start(other, limits=limits, confirm=True)
    again, new = await service.start(ORDER, limits=limits, confirm=True)
    assert (again.id, new) == (waiting.id, False)
    await service.cancel(waiting.id)
    with pytest.raises(LimitReached, match=r"ended without a start"):
        await service.start_again(waiting, limits=limits, confirm=True)
    await service.forget(waiting.id)
    assert (await service.start(other, limits=limits, confirm=True))[1]


async def test_many_concurrent_approvals_start_one_run(desk: Desk) -> None:
    services = [desk.service(), desk.service()]
    job, _ = await services[0].start(ORDER, confirm=True)
    await asyncio.gather(*(services[n % 2].approve(job.id, limits=ROOMY) for n in range(20)))
    assert (await end(desk, services[0], job)).state is State.COMPLETED
    assert (await kinds(services[1]), desk.creates) == ([Kind.RUN], 1)


def settings(**values: Any) -> ResearchSettings:
    return ResearchSettings(agent=ORDER.agent, max_agent=MAX, follow_up_model=MODEL, **values)


PRESENTED = {
    "pictures": settings(visualization="off"),
    "summaries": settings(thinking_summaries="none"),
    "both": settings(visualization="off", thinking_summaries="none"),
}


@pytest.mark.parametrize("presented", PRESENTED.values(), ids=list(PRESENTED))
async def test_the_same_brief_is_the_same_job_however_its_report_is_presented(
    desk: Desk, presented: ResearchSettings
) -> None:
    service = desk.service()
    job, _ = await service.start(settings().order("Why are there tides?", user="ada", session="s1", title="Tides"))
    again = presented.order(" why are there TIDES?", user="ada", session="s1", title="The sea")
    assert again.options != job.order.options
    joined, new = await service.start(again)
    assert (joined.id, new) == (job.id, False)
    await end(desk, service, job)
    assert (await service.start(again))[1] is False
    assert (await kinds(service), desk.creates) == ([Kind.RUN], 1)


async def test_another_base_agent_conversation_or_user_is_another_job(desk: Desk) -> None:
    service = desk.service()
    base = await run(desk, service, "Tides")
    order = settings().order("Why are there tides?", user="ada", session="s1")
    orders = [
        order,
        await service.with_base(base.id, order),
        settings().order("Why are there tides?", user="ada", session="s1", use_max=True),
        settings().order("Why are there tides?", user="ada", session="s2"),
        settings().order("Why are there tides?", user="bob", session="s1"),
    ]
    started = [await service.start(each, confirm=True) for each in orders]
    assert [new for _, new in started] == [True] * 5
    assert len({job.id for job, _ in started}) == 5


HERE = "gemini https://proxy.example.org/gemini"
OLD_SPELLING = "gemini https://Proxy.Example.org:443/gemini/"


def old_key(order: Order) -> str:
    """The key of an order as the program computed it when options were a part of it."""
    parts: list[Any] = [order.user, order.session, order.brief.casefold(), order.agent, dict(order.options), 1]
    return hashlib.sha256(json.dumps([*parts, order.server], sort_keys=True).encode()).hexdigest()


async def test_a_row_with_the_old_server_name_and_the_old_key_is_found_resumed_and_joined(
    desk: Desk, tmp_path: Path
) -> None:
    first = desk.service(name=HERE)
    job = await running(first, ORDER.brief)
    await first.close()
    with sqlite3.connect(tmp_path / "ledger.db") as connection:  # as an older program left it
        old = replace(job.order, server=OLD_SPELLING)
        connection.execute(
            "UPDATE research_jobs SET server = ?, key = ? WHERE id = ?", (OLD_SPELLING, old_key(old), job.id)
        )
    service = desk.service(name=HERE)
    assert [found.id for found in await service.jobs("ada")] == [job.id]
    assert [taken.id for taken in await service.resume()] == [job.id]
    joined, new = await service.start(ORDER)
    assert (joined.id, new) == (job.id, False)
    await service.webhooks.handle(job.interaction_id or "")
    assert (await end(desk, service, job)).state is State.COMPLETED
    assert (await service.start(ORDER))[0].id == job.id
    assert desk.creates == 1


async def test_a_job_with_another_server_address_belongs_to_another_server(desk: Desk, tmp_path: Path) -> None:
    first = desk.service(name=HERE)
    job = await running(first, ORDER.brief)
    await first.close()
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("UPDATE research_jobs SET server = 'gemini https://example.org' WHERE id = ?", (job.id,))
    service = desk.service(name=HERE)
    assert (await service.jobs("ada"), await service.resume()) == ([], [])
    with pytest.raises(WrongBackend, match=r"was given to gemini https://example\.org,"):
        await service.cancel(job.id)


def test_a_job_is_stored_with_the_current_server_name() -> None:
    assert row_of(new_job(replace(ORDER, server=HERE), 0))["server"] == HERE


async def test_a_brief_rewritten_before_approval_is_the_one_that_is_sent(desk: Desk) -> None:
    service = desk.service()
    job, _ = await service.start(ORDER, confirm=True)
    await service.rewrite(job.id, "Why are there waves?", "Waves")
    await service.approve(job.id)
    assert (await end(desk, service, job)).order.brief == "Why are there waves?"
    [sent] = [r["body"]["input"] for r in desk.api.log(bodies=True)["requests"] if r["kind"] == "create_stream"]
    assert sent == "Why are there waves?"
    assert (await service.start(replace(ORDER, brief="why are there waves?")))[0].id == job.id
