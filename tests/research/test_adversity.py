"""Faults that once broke a promise: early cancels, a failing ledger, another server, malformed events, many orders."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Brain, TimedStep, Turn
from tests.conftest import Desk, Later
from tests.forks import Fork
from tests.research.test_promises import LINES, ORDER, begin, lines, lines_while_time_passes
from tests.scripts import research_brain, said, search
from tools.interactions.transport import Transport
from tools.research.api_client import InteractionsClient
from tools.research.job import Job
from tools.research.job_errors import NotDeleted, NotFinished, WrongBackend
from tools.research.job_states import State
from tools.research.job_texts import FOLLOWED_ELSEWHERE
from tools.research.ledger import Ledger
from tools.research.quotas import LimitReached, Quotas
from tools.research.service import Research

PLANNED = replace(ORDER, options={"collaborative_planning": True})
BEFORE = {"INTENDED": set(), "STARTING": {State.INTENDED}, "RUNNING": {State.INTENDED, State.STARTING}}
"""For each stage of a start, the states of a job before it."""
ODD: list[Any] = [5, "tides", [["tides"]], {"a": 1}, None]


@pytest.fixture
def brain() -> Brain:
    """The scripted research. It plans if asked to, and sends malformed queries if the brief contains "odd"."""

    def think(turn: Turn) -> Iterator[TimedStep]:
        if not turn.is_agent:
            yield TimedStep(0, said("The moon."))
            return
        if turn.agent_config.get("collaborative_planning"):
            yield TimedStep(60, said("1. Look at the sea."))
            return
        if "odd" in turn.steps[-1]["content"][0]["text"]:
            for queries in ODD:
                yield TimedStep(1, {**search(""), "arguments": {"queries": queries}})
        yield from research_brain(turn)

    return think


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("reached", ["INTENDED", "STARTING", "at the server", "RUNNING"])
async def test_an_early_cancel_ends_the_research_at_the_server_too(desk: Desk, replicas: int, reached: str) -> None:
    services = [desk.service() for _ in range(replicas)]
    if reached == "at the server":
        # Each wait of `cancel` lets 0.2 virtual seconds pass, and the first thought comes after 60.
        desk.api.faults({"on": "create", "delay_ms": 50})
    job, _ = await services[0].start(ORDER)

    async def is_there() -> bool:
        if reached == "at the server":
            return bool(desk.api.interactions())
        return (await services[0].job(job.id)).state in set(State) - BEFORE[reached]

    while not await is_there():
        await asyncio.sleep(0)
    assert (await services[-1].cancel(job.id)).state is State.CANCELLED
    # The process that cancels may have had the lease when the other one wanted it.
    assert {*await lines(services[0], job)} <= ({FOLLOWED_ELSEWHERE} if replicas > 1 else set())
    named = (await services[0].job(job.id)).interaction_id
    if reached in ("at the server", "RUNNING"):
        assert named
    assert [(i["id"], i["status"]) for i in desk.api.interactions()] == ([(named, "cancelled")] if named else [])


class FailingLedger(Ledger):
    """A ledger whose first attempt to store an interaction id fails."""

    failed = False

    async def change(self, job_id: str, expected: Collection[State], now: float, **values: Any) -> Job | None:
        if values.get("interaction_id") and not self.failed:
            self.failed = True
            raise OperationalError("UPDATE", {}, Exception("the database is away"))
        return await super().change(job_id, expected, now, **values)


async def test_an_interaction_id_is_stored_although_the_database_was_away_when_it_arrived(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    service = desk.service()
    service.ledger.__class__ = FailingLedger
    job, _ = await service.start(ORDER)
    await lines_while_time_passes(desk, service, job)
    assert ((await service.job(job.id)).state, desk.creates) == (State.COMPLETED, 1)
    assert f"{job.id} is interaction {desk.api.interactions()[0]['id']}" in caplog.text


async def test_a_follower_that_cannot_renew_its_lease_stops_when_the_lease_expires(desk: Desk, later: Later) -> None:
    service = desk.service()
    job, watching = await begin(desk, service)
    lease, renew = service.ledger.take_lease, service.ledger.renew_leases

    async def away(*args: Any) -> Any:
        raise OperationalError("UPDATE", {}, Exception("the database is away"))

    service.ledger.take_lease = service.ledger.renew_leases = away  # type: ignore[method-assign]
    later(11)  # longer than the lease lasts
    with pytest.raises(OperationalError):
        await watching  # the follower has stopped, and raises the reason
    service.ledger.take_lease, service.ledger.renew_leases = lease, renew  # type: ignore[method-assign]
    await lines_while_time_passes(desk, service, job)
    assert ((await service.job(job.id)).state, desk.creates) == (State.COMPLETED, 1)


def test_ctrl_c_during_a_start_does_not_lose_the_interaction_id(environment: Path, use: Any, tmp_path: Path) -> None:
    with Emulator(brain=research_brain, speed=0) as api, (tmp_path / "log").open("w+") as log:
        use(api)
        api.faults({"on": "create", "delay_ms": 1500})
        process = Fork("tools", "research", "tides", stderr=log)
        end = time.monotonic() + 60
        while not api.interactions():
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.wait(300)
        log.seek(0)
        assert re.search("`desk attach (?:JOB|job_\\w+)` follows it", log.read())

        async def written() -> str | None:
            ledger = Ledger(f"sqlite+aiosqlite:///{environment}/ledger.db")
            try:
                return (await ledger.find())[0].interaction_id
            finally:
                await ledger.close()

        assert asyncio.run(written()) == api.interactions()[0]["id"]


async def test_two_404_answers_in_a_row_do_not_end_a_research_run(desk: Desk) -> None:
    desk.api.faults({"on": "create_stream", "cut_after": 3}, {"on": "get", "status": 404, "times": 2})
    service = desk.service()
    job, _ = await service.start(ORDER)
    await lines_while_time_passes(desk, service, job)
    assert (await service.job(job.id)).state is State.COMPLETED


PAGE = {"status": 404, "body": "<h1>Not Found</h1>", "headers": {"content-type": "text/html"}}
TEXT = {"status": 404, "body": "404 page not found", "headers": {"content-type": "text/plain"}}


@pytest.mark.parametrize(
    "answer", [PAGE, TEXT, TEXT | {"body": '{"detail": "Not Found"}'}], ids=["page", "text", "json"]
)
async def test_a_404_of_a_proxy_neither_ends_a_research_run_nor_counts_as_a_deletion(
    desk: Desk, answer: dict[str, Any]
) -> None:
    desk.api.faults({"on": "create_stream", "cut_after": 3}, {"on": "get", **answer, "times": 4})
    service = desk.service()
    job, _ = await service.start(ORDER)
    await lines_while_time_passes(desk, service, job)
    assert (await service.job(job.id)).state is State.COMPLETED
    desk.api.faults({"on": "delete", **answer})
    with pytest.raises(NotDeleted, match="not an answer of the API: `desk doctor` checks its address"):
        await service.forget(job.id)
    assert "deleted at the server" in (await service.forget(job.id))[0]


async def test_a_run_whose_start_is_unknown_is_forgotten_only_by_force_and_named_in_the_receipt(desk: Desk) -> None:
    desk.api.faults({"on": "create", "after_accept": True})
    service = desk.service()
    job, _ = await service.start(ORDER)
    await lines(service, job)
    with pytest.raises(NotDeleted, match="a run may exist at the server under an unknown id"):
        await service.forget(job.id)
    assert "a run may exist at the server" in (await service.forget(job.id, force=True))[0]


async def test_an_expired_research_run_is_looked_up_again_when_a_person_asks(desk: Desk) -> None:
    desk.api.faults({"on": "create_stream", "cut_after": 3}, {"on": "get", "status": 404, "times": 3})
    service = desk.service()
    job, _ = await service.start(ORDER)
    await lines_while_time_passes(desk, service, job)
    assert (await service.job(job.id)).state is State.EXPIRED
    await lines_while_time_passes(desk, service, job)
    assert ((await service.job(job.id)).state, desk.creates) == (State.COMPLETED, 1)


async def test_a_job_of_another_server_is_neither_listed_nor_changed_nor_requested(desk: Desk) -> None:
    here = desk.service(name="gemini")
    job, _ = await here.start(ORDER)
    await begin_following(desk, here, job)
    await here.close()
    there = desk.service(name="emulator")
    calls = len(desk.api.log()["requests"])
    assert await there.resume() == []
    for act in (there.cancel, there.approve, lambda job_id: lines(there, job)):
        with pytest.raises(WrongBackend, match=f"{job.id} was given to gemini, and this process talks to emulator"):
            await act(job.id)
    assert await there.jobs("ada") == []
    assert len(desk.api.log()["requests"]) == calls
    other, new = await there.start(ORDER)
    assert (new, other.id != job.id) == (True, True)
    again = desk.service(name="gemini")
    await lines_while_time_passes(desk, again, job)
    assert (await again.job(job.id)).state is State.COMPLETED


async def begin_following(desk: Desk, service: Research, job: Job) -> None:
    while not (await service.job(job.id)).interaction_id:
        await asyncio.sleep(0.001)


async def test_revising_or_repeating_a_job_that_waits_for_approval_starts_nothing(desk: Desk) -> None:
    service = desk.service()
    job, _ = await service.start(ORDER, confirm=True)
    with pytest.raises(NotFinished, match="has no plan"):
        await service.revise(job.id, "cheaper")
    assert (await service.start_again(job)).id == job.id
    assert await lines(service, job) == []
    assert ((await service.job(job.id)).state, desk.creates) == (State.AWAITING_APPROVAL, 0)


async def test_streams_whose_events_have_no_id_are_replaced_by_polling(desk: Desk) -> None:
    desk.api.faults({"on": "create_stream", "cut_after": 3}, {"on": "resume", "error_after": 0, "times": 0})
    service = desk.service(first_poll_s=60, max_poll_s=60, silence_timeout_s=0.1)
    job, _ = await service.start(ORDER)
    await lines(service, job)
    kinds = [request["kind"] for request in desk.api.log()["requests"]]
    assert (await service.job(job.id)).state is State.COMPLETED
    assert (kinds.count("resume"), kinds.count("get") < 60) == (2, True)


async def test_a_stalled_research_run_is_checked_again_in_the_background(desk: Desk) -> None:
    desk.api.faults({"on": "stream", "end_after": 1, "times": 0})
    service = desk.service(stall_after_s=30, silence_timeout_s=0.1)
    job, _ = await service.start(ORDER)
    await lines(service, job)
    assert (await service.job(job.id)).state is State.STALLED
    clock = service._clock
    service._clock = lambda: clock() + 3601
    assert await service.resume() == []
    assert (await service.job(job.id)).state is State.STALLED
    await desk.pass_time(3000)
    service._clock = lambda: clock() + 7300
    await service.resume()
    assert (await service.job(job.id)).state is State.COMPLETED


async def test_malformed_events_lose_their_progress_line_but_not_the_research_run(desk: Desk) -> None:
    service = desk.service()
    job, _ = await service.start(replace(ORDER, brief="odd tides"))
    shown = await lines_while_time_passes(desk, service, job)
    assert [line for line in shown if line in LINES] == LINES
    assert (await service.job(job.id)).state is State.COMPLETED


@pytest.mark.parametrize("limits", [Quotas(at_once=1), Quotas(per_day=1), Quotas(usd_per_day=3)])
async def test_limits_hold_for_concurrent_orders_in_several_processes(desk: Desk, limits: Quotas) -> None:
    services = [desk.service() for _ in range(3)]
    orders = [services[n % 3].start(replace(ORDER, brief=f"Tides {n}"), limits=limits) for n in range(6)]
    given = await asyncio.gather(*orders, return_exceptions=True)
    assert {type(order) for order in given} <= {tuple, LimitReached}
    assert sum(isinstance(order, tuple) for order in given) <= 1
    assert len(await services[0].jobs("ada")) <= 1


async def test_forgetting_a_job_deletes_all_of_its_plans(desk: Desk) -> None:
    service = desk.service()
    job, _ = await service.start(PLANNED)
    for act in (lambda: service.revise(job.id, "shorter"), lambda: service.revise(job.id, "longer")):
        await lines_while_time_passes(desk, service, job)
        await act()
    await lines_while_time_passes(desk, service, job)
    await service.approve(job.id)
    await lines_while_time_passes(desk, service, job)
    assert len(desk.api.interactions()) == 4
    await service.forget(job.id)
    assert desk.api.interactions() == []


async def test_a_create_that_could_not_be_sent_fails_the_job_as_not_started(desk: Desk, tmp_path: Path) -> None:
    def no_transport() -> Transport:
        raise ValueError("no key is set")

    service = Research(Ledger(f"sqlite+aiosqlite:///{tmp_path}/other.db"), InteractionsClient(no_transport))
    job, _ = await service.start(ORDER)
    await lines(service, job)
    job = await service.job(job.id)
    assert (job.state, job.error) == (State.FAILED, "nothing was started: no key is set")
    await service.close()


async def test_a_create_with_a_long_retry_after_fails_the_job_and_quotes_the_wait(desk: Desk) -> None:
    desk.api.faults({"on": "create", "status": 429, "retry_after_ms": 300_000})
    service = desk.service()
    job, _ = await service.start(ORDER)
    assert await lines(service, job) == []
    job = await service.job(job.id)
    assert (job.state, "try again in 300 seconds" in job.error, desk.creates) == (State.FAILED, True, 0)
