"""The ledger records spending before a create is sent, and limits are checked against these records."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import SQLAlchemyError

from tests.ledger.conftest import MODEL, NOW, Open, used
from tests.ledger.test_contract import ORDER, job_of
from tests.ledger.test_migrations import sql
from tools.research.job import Job, Kind, Plan, new_job
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.research.quotas import (
    LIMIT_PERIOD_S,
    STILL_RUNS_S,
    LimitReached,
    Quotas,
    order_check,
    question_check,
    quota_check,
)
from tools.research.spending import Spending, Used, spending_of_question
from tools.settings import DAY_S

PLANNED = replace(ORDER, options={"collaborative_planning": True})
ORDERS = 8
LIMITS = [
    Quotas(at_once=3, per_day=100, usd_per_day=1000),
    Quotas(at_once=100, per_day=3, usd_per_day=1000),
    Quotas(at_once=100, per_day=100, usd_per_day=9),
]
"""Each of these allows exactly three runs of $3."""
each_limit = pytest.mark.parametrize("limits", LIMITS, ids=["at_once", "per_day", "usd_per_day"])


async def add(ledger: Ledger, job: Job) -> Job:
    """Adds a job whose brief no other job has."""
    added, new = await ledger.add(job)
    assert new
    return added


async def begun(ledger: Ledger, brief: str, now: float = NOW, user: str = "ada") -> Job:
    """A job whose create is being sent."""
    job = await ledger.mark_starting(await add(ledger, job_of(brief, user, now)), now)
    assert job
    return job


async def planned(ledger: Ledger, now: float = NOW) -> Job:
    """A job that waits for a yes to its first plan."""
    job = await ledger.mark_starting(await add(ledger, new_job(PLANNED, now)), now)
    assert job
    return await waiting(ledger, job, Plan("1. Look at the sea.", "v1_plan"), now)


async def waiting(ledger: Ledger, job: Job, plan: Plan, now: float, **values: Any) -> Job:
    """A job after it has received a plan."""
    found = await ledger.change(job.id, {State.STARTING}, now, state=State.AWAITING_APPROVAL, plan=plan, **values)
    assert found
    return found


async def replied(ledger: Ledger, job: Job, now: float, *, approved: bool) -> Job:
    """A job whose plan was approved or sent back, and whose next create is being sent."""
    assert job.plan
    agreed = await ledger.approve(job, now, None, plan=replace(job.plan, reply="So.", approved=approved))
    assert agreed
    sent = await ledger.mark_starting(agreed, now)
    assert sent
    return sent


async def test_a_create_is_recorded_as_spending_once_before_it_is_sent(open_ledger: Open) -> None:
    here, there = open_ledger(), open_ledger()
    job = await add(here, job_of("tides", created=NOW))
    assert await here.spending() == []
    sent = await asyncio.gather(*((here, there)[n % 2].mark_starting(job, NOW + 1) for n in range(ORDERS)))
    assert [found.state for found in sent if found] == [State.STARTING]
    assert await there.spending() == [
        Spending(NOW + 1, "ada", job.id, Kind.RUN, ORDER.agent, 3.0, server=job.order.server)
    ]


async def test_a_create_is_not_sent_when_its_spending_cannot_be_recorded(url: str, open_ledger: Open) -> None:
    ledger = open_ledger()
    job = await add(ledger, job_of("tides", created=NOW))
    await sql(url, "ALTER TABLE desk_spending RENAME TO desk_elsewhere")
    with pytest.raises(SQLAlchemyError):
        await ledger.mark_starting(job, NOW)
    assert await ledger.get(job.id) == job
    await sql(url, "ALTER TABLE desk_elsewhere RENAME TO desk_spending")
    assert await ledger.mark_starting(job, NOW)


async def test_plans_revisions_and_runs_are_recorded_as_separate_kinds_of_spending(open_ledger: Open) -> None:
    ledger = open_ledger()
    job = await planned(ledger)
    job = await replied(ledger, job, NOW + 1, approved=False)
    job = await waiting(ledger, job, Plan("1. Look at the moon.", "v1_again"), NOW + 2)
    assert (await used(ledger, NOW + 3, job)).plans == 2
    await replied(ledger, job, NOW + 3, approved=True)
    found = await ledger.spending()
    assert [(entry.kind, entry.time - NOW, entry.estimate) for entry in found] == [
        (Kind.PLAN, 0, 1.0),
        (Kind.REVISION, 1, 1.0),
        (Kind.RUN, 3, 3.0),
    ]
    assert await used(ledger, NOW + 4) == Used(running=1, creates=3, usd=5.0)


@pytest.mark.parametrize("seconds", [1.0, 0.0], ids=["in time", "with a clock that stands still"])
async def test_a_create_that_started_nothing_is_removed_from_the_spending(open_ledger: Open, seconds: float) -> None:
    ledger, now = open_ledger(), NOW
    jobs = [await add(ledger, job_of(f"brief {n}", created=NOW)) for n in range(8)]
    for job in jobs:
        for _ in range(3):
            now += seconds
            sent = await ledger.mark_starting(job, now)
            assert sent
            now += seconds
            await ledger.change(job.id, {State.STARTING}, now, refused=True, state=State.INTENDED)
        now += seconds
        assert await ledger.mark_starting(job, now)
    assert sorted(entry.job for entry in await ledger.spending()) == sorted(job.id for job in jobs)
    for job in jobs:
        await ledger.change(job.id, {State.STARTING}, now, refused=True, state=State.FAILED)
    assert await ledger.spending() == []
    assert await used(ledger, now) == Used(0, 0, 0.0, dropped=8)


async def test_a_refusal_removes_only_the_spending_of_the_refused_create(open_ledger: Open) -> None:
    ledger = open_ledger()
    job, other = await planned(ledger), await begun(ledger, "the moon", NOW + 1)
    job = await replied(ledger, job, NOW + 2, approved=True)
    await ledger.change(job.id, {State.STARTING}, NOW + 3, refused=True, state=State.FAILED)
    assert [(entry.job, entry.kind) for entry in await ledger.spending()] == [(job.id, Kind.PLAN), (other.id, Kind.RUN)]


async def test_a_refusal_that_arrives_after_the_job_changed_removes_no_spending(open_ledger: Open) -> None:
    ledger = open_ledger()
    job = await begun(ledger, "tides")
    await ledger.change(job.id, {State.STARTING}, NOW, state=State.RUNNING, interaction_id="v1_a")
    await ledger.change(job.id, {State.STARTING}, NOW, refused=True, state=State.INTENDED)
    assert [entry.job for entry in await ledger.spending()] == [job.id]


async def test_reported_usage_is_stored_with_the_estimate_of_the_same_create(open_ledger: Open) -> None:
    ledger = open_ledger()
    job = await ledger.mark_starting(await add(ledger, new_job(PLANNED, NOW)), NOW)
    assert job
    job = await waiting(ledger, job, Plan("1. Look.", "v1_plan"), NOW + 1, usage={"total_tokens": 5})
    await ledger.record_spending(job, spending_of_question(job, MODEL, NOW + 2), None)
    job = await replied(ledger, job, NOW + 3, approved=True)
    await ledger.record_spending(job, spending_of_question(job, MODEL, NOW + 4), None)
    usage = {"total_tokens": 9000, "grounding_tool_count": [{"type": "google_search", "count": 40}]}
    await ledger.change(job.id, {State.STARTING}, NOW + 5, state=State.COMPLETED, usage=usage)
    assert [(entry.kind, entry.usage) for entry in await ledger.spending()] == [
        (Kind.PLAN, {"total_tokens": 5}),
        (Kind.QUESTION, {}),
        (Kind.RUN, usage),
        (Kind.QUESTION, {}),
    ]


async def test_spending_survives_deletion_and_contains_no_text_of_the_job(url: str, open_ledger: Open) -> None:
    ledger = open_ledger()
    order = Order("A secret brief", "ada", "a secret session", ORDER.agent, title="A secret title")
    job = await ledger.mark_starting(await add(ledger, new_job(order, NOW)), NOW)
    assert job
    await ledger.record_spending(job, spending_of_question(job, MODEL, NOW + 1), None)
    await ledger.change(job.id, {State.STARTING}, NOW + 2, state=State.COMPLETED, report="A secret report")
    before = await ledger.spending()
    await ledger.withdraw_questions("ada", order.session)
    await ledger.delete_answers(job.id, order.session)
    await ledger.delete_tasks("ada", order.session)
    await ledger.delete(job.id)
    assert await ledger.find() == []
    assert await ledger.spending() == before
    assert [entry.kind for entry in before] == [Kind.RUN, Kind.QUESTION]
    assert await used(ledger, NOW + 3) == Used(0, 1, 3.1)
    assert "secret" not in str(await sql(url, "SELECT * FROM desk_spending"))


async def test_spending_is_listed_oldest_first_by_user_and_since_a_time(open_ledger: Open) -> None:
    ledger = open_ledger()
    for seconds, user in ((30, "ada"), (10, "ada"), (20, "bob")):
        await begun(ledger, f"brief {seconds}", NOW + seconds, user)
    assert [entry.time - NOW for entry in await ledger.spending()] == [10, 20, 30]
    assert [entry.time - NOW for entry in await ledger.spending(since=NOW + 20)] == [20, 30]
    assert [entry.time - NOW for entry in await ledger.spending(user="ada")] == [10, 30]


async def test_daily_usage_counts_creates_of_the_last_24_hours_and_those_about_to_be_sent(open_ledger: Open) -> None:
    ledger = open_ledger()
    old = await begun(ledger, "old", NOW - DAY_S - 1)
    await ledger.change(old.id, {State.STARTING}, NOW - DAY_S, state=State.COMPLETED)
    sent = await begun(ledger, "sent", NOW - DAY_S + 1)
    await ledger.change(sent.id, {State.STARTING}, NOW, state=State.COMPLETED)
    await add(ledger, job_of("about to be sent", created=NOW))
    await add(ledger, job_of("waits for a yes", created=NOW, state=State.AWAITING_APPROVAL))
    await begun(ledger, "of another user", NOW, "bob")
    await ledger.record_spending(sent, spending_of_question(sent, MODEL, NOW), None)
    assert await used(ledger) == Used(running=1, creates=2, usd=6.1, waiting=1)  # a question is not a create
    assert await used(ledger, user="eve") == Used(0, 0, 0.0)


async def test_an_approved_order_that_is_not_sent_within_a_day_needs_a_new_yes(open_ledger: Open) -> None:
    ledger = open_ledger()
    recent, old = [await add(ledger, job_of(brief, created=NOW)) for brief in ("recent", "old")]
    plan = await planned(ledger)
    agreed = await ledger.approve(plan, NOW, None, plan=replace(plan.plan, reply="So.", approved=True))
    assert await ledger.mark_starting(recent, NOW + DAY_S)
    assert [await ledger.mark_starting(job, NOW + DAY_S + 1) for job in (old, agreed)] == [None, None]
    assert [(await ledger.get(job.id)).state for job in (old, plan)] == [State.AWAITING_APPROVAL] * 2
    assert [entry.job for entry in await ledger.spending()] == [plan.id, recent.id]
    again = await ledger.get(plan.id)
    with pytest.raises(LimitReached):
        await ledger.approve(again, NOW + DAY_S + 1, quota_check(Quotas(at_once=1), again))
    yes = await ledger.approve(again, NOW + DAY_S + 1, None)
    assert (await ledger.mark_starting(yes, NOW + DAY_S + 1)).kind is Kind.RUN


async def test_jobs_that_run_or_may_still_run_count_as_running(open_ledger: Open) -> None:
    ledger = open_ledger()
    for number, (state, may_run, seconds, running) in enumerate(
        (
            (State.INTENDED, False, 10 * DAY_S, 1),
            (State.STARTING, False, 10 * DAY_S, 1),
            (State.RUNNING, False, 10 * DAY_S, 1),
            (State.STALLED, False, 10 * DAY_S, 1),
            (State.START_UNKNOWN, False, STILL_RUNS_S, 1),
            (State.START_UNKNOWN, False, STILL_RUNS_S + 1, 0),
            (State.CANCELLED, True, STILL_RUNS_S, 1),
            (State.CANCELLED, True, STILL_RUNS_S + 1, 0),
            (State.CANCELLED, False, 0, 0),
            (State.AWAITING_APPROVAL, False, 0, 0),
            (State.COMPLETED, False, 0, 0),
            (State.FAILED, False, 0, 0),
            (State.INCOMPLETE, False, 0, 0),
            (State.EXPIRED, False, 0, 0),
        )
    ):
        case, user = (state, may_run, seconds), f"user{number}"  # limits are those of one user
        job = await add(ledger, replace(job_of("tides", user, created=NOW, state=state), may_run=may_run))
        assert (await used(ledger, NOW + seconds, user=user)).running == running, case
        own = await used(ledger, NOW + seconds, job)
        assert own.running == 0, case  # a job does not count against its own limit


@pytest.mark.parametrize(
    "ended", [{"state": State.CANCELLED, "may_run": 1}, {"state": State.START_UNKNOWN}], ids=["cancelled", "unknown"]
)
async def test_a_deleted_job_that_may_still_run_counts_as_running(open_ledger: Open, ended: Any) -> None:
    ledger = open_ledger()
    job = await begun(ledger, "tides")
    await ledger.change(job.id, {State.STARTING}, NOW + 60, **ended)
    await ledger.delete(job.id)
    assert (await used(ledger, NOW + STILL_RUNS_S)).running == 1
    assert (await used(ledger, NOW + 60 + STILL_RUNS_S + 1)).running == 0


async def test_a_deleted_job_that_has_ended_does_not_count_as_running(open_ledger: Open) -> None:
    ledger = open_ledger()
    for number, state in enumerate((State.COMPLETED, State.CANCELLED, State.FAILED)):
        job = await begun(ledger, f"brief {number}")
        await ledger.change(job.id, {State.STARTING}, NOW, state=state)
        await ledger.delete(job.id)
    assert await used(ledger) == Used(0, 3, 9.0)


@each_limit
async def test_limits_hold_for_concurrent_orders_through_two_ledgers(open_ledger: Open, limits: Quotas) -> None:
    ledgers = [open_ledger(), open_ledger()]

    async def order(number: int) -> Job | None:
        job, ledger = job_of(f"brief {number}", created=NOW), ledgers[number % 2]
        await ledger.add(job, quota_check(limits, job))
        return await ledger.mark_starting(job, NOW)

    given = await asyncio.gather(*map(order, range(ORDERS)), return_exceptions=True)
    await assert_three_sent(ledgers[0], given)
    assert len(await ledgers[0].find()) == 3


@each_limit
async def test_limits_hold_for_concurrent_approvals_through_two_ledgers(open_ledger: Open, limits: Quotas) -> None:
    ledgers = [open_ledger(), open_ledger()]
    jobs = [job_of(f"brief {number}", created=NOW, state=State.AWAITING_APPROVAL) for number in range(ORDERS)]
    for job in jobs:
        await ledgers[0].add(job, quota_check(limits, job))  # asking for a price spends nothing

    async def approve(number: int) -> Job | None:
        ledger = ledgers[number % 2]
        agreed = await ledger.approve(jobs[number], NOW, quota_check(limits, jobs[number]))
        return agreed and await ledger.mark_starting(agreed, NOW)

    given = await asyncio.gather(*map(approve, range(ORDERS)), return_exceptions=True)
    await assert_three_sent(ledgers[0], given)
    assert len(await ledgers[1].find(states={State.AWAITING_APPROVAL})) == ORDERS - 3


async def assert_three_sent(ledger: Ledger, given: Sequence[Job | BaseException | None]) -> None:
    """Checks that three orders were sent and recorded, and that all others were refused."""
    sent = [job.id for job in given if isinstance(job, Job)]
    assert len(sent) == 3
    assert [type(each) for each in given if not isinstance(each, Job)] == [LimitReached] * (ORDERS - 3)
    assert sorted(entry.job for entry in await ledger.spending()) == sorted(sent)


async def test_the_daily_dollar_limit_holds_for_concurrent_questions(open_ledger: Open) -> None:
    ledgers, limits = [open_ledger(), open_ledger()], Quotas(usd_per_day=3.35)
    job = await begun(ledgers[0], "tides")

    async def ask(number: int) -> None:
        entry = spending_of_question(job, MODEL, NOW)
        await ledgers[number % 2].record_spending(job, entry, question_check(limits, entry))

    given = await asyncio.gather(*map(ask, range(ORDERS)), return_exceptions=True)
    assert given.count(None) == 3
    assert [type(each) for each in given if each] == [LimitReached] * (ORDERS - 3)
    assert [entry.kind for entry in await ledgers[0].spending()] == [Kind.RUN, *[Kind.QUESTION] * 3]


async def test_limits_are_counted_per_user(open_ledger: Open) -> None:
    ledger, limits = open_ledger(), Quotas(at_once=1, per_day=1, usd_per_day=3)
    for user in ("ada", "bob"):
        job = job_of("tides", user, NOW)
        assert (await ledger.add(job, quota_check(limits, job)))[1]
    more = job_of("waves", "ada", NOW)
    with pytest.raises(LimitReached):
        await ledger.add(more, quota_check(limits, more))


async def test_limits_do_not_refuse_an_order_that_already_has_a_job(open_ledger: Open) -> None:
    ledger, limits = open_ledger(), Quotas(at_once=1, per_day=1, usd_per_day=3)
    job, again = new_job(ORDER, NOW), new_job(ORDER, NOW + 1)
    await ledger.add(job, quota_check(limits, job))
    assert await ledger.add(again, quota_check(limits, again)) == (job, False)


async def order_waiting(ledger: Ledger, number: int, limits: Quotas, now: float = NOW) -> Job:
    job = job_of(f"brief {number}", created=now, state=State.AWAITING_APPROVAL)
    return (await ledger.add(job, order_check(limits, job)))[0]


async def test_no_more_orders_wait_for_a_yes_than_the_limit_allows_whoever_writes_them(open_ledger: Open) -> None:
    ledgers, limits = [open_ledger(), open_ledger()], Quotas(waiting=3)
    ordering = (order_waiting(ledgers[number % 2], number, limits) for number in range(ORDERS))
    given = await asyncio.gather(*ordering, return_exceptions=True)
    waiting = [job for job in given if isinstance(job, Job)]
    refused = [error for error in given if isinstance(error, LimitReached)]
    assert (len(waiting), len(refused)) == (3, ORDERS - 3)
    assert "3 orders wait for a yes already (limit 3): approve or cancel some first" in str(refused[0])
    assert await ledgers[0].approve(waiting[0], NOW, quota_check(limits, waiting[0]))  # a yes always gets through
    await order_waiting(ledgers[0], ORDERS, limits)
    other = job_of("brief 0", "eve", NOW, state=State.AWAITING_APPROVAL)
    assert (await ledgers[0].add(other, order_check(limits, other)))[1]


@pytest.mark.parametrize("ended", [{"state": State.CANCELLED}, {"state": State.FAILED}], ids=["dropped", "refused"])
async def test_orders_that_end_without_a_start_do_not_fill_the_ledger(open_ledger: Open, ended: Any) -> None:
    ledger, limits = open_ledger(), Quotas(waiting=3)
    for number in range(3):
        job = await order_waiting(ledger, number, limits)
        await ledger.change(job.id, {State.AWAITING_APPROVAL}, NOW, **ended)
    with pytest.raises(LimitReached, match=r"3 orders ended without a start in the last 24 hours \(limit 3\): delete"):
        await order_waiting(ledger, 3, limits)
    await order_waiting(ledger, 4, limits, NOW + LIMIT_PERIOD_S + 1)
    await ledger.delete(job.id)
    await order_waiting(ledger, 5, limits)


async def test_a_report_is_asked_about_as_often_as_the_limit_allows(open_ledger: Open) -> None:
    ledger, limits = open_ledger(), Quotas(questions_per_job=2)
    asked, other = await begun(ledger, "tides"), await begun(ledger, "waves")

    async def ask(job: Job) -> None:
        entry = spending_of_question(job, MODEL, NOW)
        await ledger.record_spending(job, entry, question_check(limits, entry))

    await ask(asked)
    await ask(asked)
    with pytest.raises(LimitReached, match=rf"2 questions were asked about {asked.id} already \(limit 2\): ask about"):
        await ask(asked)
    await ask(other)


async def test_the_plan_limit_refuses_a_sixth_plan_but_not_the_run(open_ledger: Open) -> None:
    ledger, limits = open_ledger(), Quotas()
    job, now = await planned(ledger), NOW
    for number in range(2, 7):
        now += 1
        assert job.plan
        revision = replace(job, plan=replace(job.plan, reply="So."))
        if number == 6:
            with pytest.raises(LimitReached, match=f"{job.id} has had 5 plans"):
                await ledger.approve(job, now, quota_check(limits, revision), plan=revision.plan)
            break
        assert await ledger.approve(job, now, quota_check(limits, revision), plan=revision.plan)
        assert await ledger.mark_starting(revision, now)
        job = await waiting(ledger, job, Plan(f"Plan {number}", f"v1_{number}"), now)
    assert await ledger.get(job.id) == job  # the job still waits
    assert job.plan
    approved = replace(job, plan=replace(job.plan, reply="Go.", approved=True))
    assert await ledger.approve(job, now, quota_check(limits, approved), plan=approved.plan)


async def test_invalid_spending_entries_are_skipped_and_ignored_by_limits(url: str, open_ledger: Open) -> None:
    ledger = open_ledger()
    good, *bad = [await begun(ledger, f"brief {number}") for number in range(4)]
    for job in (good, *bad):
        await ledger.change(job.id, {State.STARTING}, NOW, state=State.COMPLETED)
    await sql(url, f"UPDATE desk_spending SET estimate = 1e300 WHERE job = '{bad[0].id}'")
    await sql(url, f"UPDATE desk_spending SET time = 1e300 WHERE job = '{bad[1].id}'")
    wrong = "time = 'soon'" if url.startswith("sqlite") else "estimate = 'NaN'"
    await sql(url, f"UPDATE desk_spending SET {wrong} WHERE job = '{bad[2].id}'")
    assert await used(ledger) == Used(0, 1, 3.0)
    assert [entry.job for entry in await ledger.spending()] == [good.id]
