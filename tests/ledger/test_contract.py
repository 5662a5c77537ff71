"""What a ledger promises on every database."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

from tests.ledger.conftest import Open
from tools.research.job import FollowUpAnswer, Job, Plan, new_job
from tools.research.job_states import State
from tools.research.order import Order
from tools.research.order_actions import job_of_other_session

ORDER = Order("Why are there tides?", "ada", "s1", "deep-research-preview-04-2026", {"thinking_summaries": "auto"})
CALLERS = 50


def job_of(brief: str, user: str = "ada", created: float = 0, state: State = State.INTENDED) -> Job:
    return new_job(replace(ORDER, brief=brief, user=user), created, state)


async def test_a_stored_job_is_read_back_unchanged(open_ledger: Open) -> None:
    picture = {"type": "image", "mime_type": "image/png", "data": "iVBORw0="}
    job = replace(
        new_job(
            replace(ORDER, inputs=(picture,), attempt=3, base="job_base2345", previous="v1_base", title="Gezeiten 🌊"),
            1_790_000_000.123456,
        ),
        plan=Plan("1. Look at the moon ☾", "v1_plan", "shorter", True),
        interaction_id="v1_" + "x" * 2000,  # the API sets no limit to the length of ids
        cursor="e" * 2000,
        events=7,
        line="searching: Gezeiten 🌊",
        usage={"total_tokens": 5},
        started=1_790_000_001.5,
        follow_ups=(FollowUpAnswer("Wann ist Ebbe? 🌊", "Um \0 Uhr, half \ud83c of a wave.", "v1_b", ("v1_a",)),),
        may_run=True,
    )
    assert await open_ledger().add(job) == (job, True)
    assert await open_ledger().get(job.id) == job
    assert await open_ledger().get("job_nothere1") is None


async def test_concurrent_identical_orders_create_one_job(open_ledger: Open) -> None:
    ledgers = [open_ledger(), open_ledger()]
    added = await asyncio.gather(*(ledgers[i % 2].add(new_job(ORDER, i)) for i in range(CALLERS)))
    assert [new for _, new in added].count(True) == 1
    assert {job.id for job, _ in added} == {job.id for job in await ledgers[0].find()}


async def test_find_returns_jobs_newest_first_by_user_and_session(open_ledger: Open) -> None:
    ledger = open_ledger()
    for created, (user, session) in enumerate([("ada", "s1"), ("ada", "s2"), ("bob", "s1"), ("ada", "s1")]):
        await ledger.add(new_job(Order(f"brief {created}", user, session, "deep-research"), created))
    found = {
        "all": await ledger.find(),
        "ada": await ledger.find(user="ada"),
        "both": await ledger.find(user="ada", session="s1"),
        "two": await ledger.find(limit=2),
    }
    assert {name: [job.created for job in jobs] for name, jobs in found.items()} == {
        "all": [3, 2, 1, 0],
        "ada": [3, 1, 0],
        "both": [3, 0],
        "two": [3, 2],
    }


async def test_only_one_of_many_concurrent_state_changes_succeeds(open_ledger: Open) -> None:
    ledgers = [open_ledger(), open_ledger()]
    job, _ = await ledgers[0].add(new_job(ORDER, 0))
    changed = await asyncio.gather(
        *(
            ledgers[i % 2].change(job.id, {State.INTENDED}, i, state=State.STARTING, line=f"by {i}")
            for i in range(CALLERS)
        )
    )
    [winner] = [job for job in changed if job]
    assert (winner.state, winner.line) == (State.STARTING, f"by {winner.updated:.0f}")
    assert await ledgers[1].get(job.id) == winner


async def test_concurrent_writes_to_different_jobs_all_succeed(open_ledger: Open) -> None:
    ledgers = [open_ledger(), open_ledger()]

    async def research(number: int) -> Job | None:
        ledger = ledgers[number % 2]
        job, _ = await ledger.add(job_of(f"brief {number}"))
        assert await ledger.take_lease(job.id, "me", 0, 10)
        for event in range(1, 4):
            await ledger.change(job.id, {State.INTENDED}, event, events=event, line=f"event {event}")
        await ledger.release_lease(job.id, "me")
        return await ledger.get(job.id)

    done = await asyncio.gather(*map(research, range(CALLERS)))
    assert [(job.events, job.line) for job in done if job] == [(3, "event 3")] * CALLERS


async def test_changes_to_plan_and_usage_are_stored_and_read_back(open_ledger: Open) -> None:
    ledger, plan = open_ledger(), Plan("Zuerst: die Flut", "v1_a")
    job, _ = await ledger.add(new_job(ORDER, 0))
    values: dict[str, Any] = {
        "state": State.AWAITING_APPROVAL,
        "plan": plan,
        "usage": {"total_tokens": 9},
        "finished": 5,
    }
    changed = await ledger.change(job.id, {State.INTENDED}, 4, **values)
    assert changed == replace(
        job, state=State.AWAITING_APPROVAL, plan=plan, usage={"total_tokens": 9}, finished=5, updated=4
    )
    assert changed == await ledger.get(job.id)
    cleared = await ledger.change(job.id, {State.AWAITING_APPROVAL}, 6, plan=None)
    assert cleared is not None
    assert cleared.plan is None


async def test_concurrent_answers_are_all_stored_but_none_for_a_deleted_job(open_ledger: Open) -> None:
    ledgers = [open_ledger(), open_ledger()]
    job, _ = await ledgers[0].add(job_of("tides"))
    answers = [FollowUpAnswer(f"{n}?", f"{n}!", f"v1_{n}") for n in range(20)]
    await asyncio.gather(*(ledgers[n % 2].add_answer(job.id, answer) for n, answer in enumerate(answers)))
    found = await ledgers[0].get(job.id)
    assert found is not None
    assert sorted(found.follow_ups, key=answers.index) == answers
    assert replace(found, follow_ups=()) == job
    await ledgers[0].delete(job.id)
    assert await ledgers[1].add_answer(job.id, answers[0]) is None


async def test_a_lease_is_exclusive_until_its_owner_releases_it(open_ledger: Open) -> None:
    here, there = open_ledger(), open_ledger()
    job, _ = await here.add(new_job(ORDER, 0))
    assert await here.take_lease(job.id, "a", now=0, seconds=10)
    assert not await there.take_lease(job.id, "b", now=10, seconds=10)
    await there.release_lease(job.id, "b")  # b does not hold the lease
    assert not await there.take_lease(job.id, "b", now=10, seconds=10)
    await here.release_lease(job.id, "a")
    assert await there.take_lease(job.id, "b", now=10, seconds=10)


async def test_a_renewed_lease_lasts_and_an_expired_lease_can_be_taken_over(open_ledger: Open) -> None:
    here, there = open_ledger(), open_ledger()
    job, _ = await here.add(new_job(ORDER, 0))
    assert await here.take_lease(job.id, "a", now=0, seconds=10)
    assert await here.take_lease(job.id, "a", now=8, seconds=10)
    assert not await there.take_lease(job.id, "b", now=18, seconds=10)
    assert await there.take_lease(job.id, "b", now=18.5, seconds=10)
    assert not await here.take_lease(job.id, "a", now=19, seconds=10)
    await here.release_lease(job.id, "a")  # too late: b holds the lease now
    assert not await here.take_lease(job.id, "a", now=19, seconds=10)
    assert not await here.take_lease("job_nothere1", "a", now=0, seconds=10)


async def test_only_one_of_many_concurrent_requests_gets_a_lease(open_ledger: Open) -> None:
    ledgers = [open_ledger(), open_ledger()]
    job, _ = await ledgers[0].add(new_job(ORDER, 0))
    for now in (0, 11):  # free, then expired
        taken = await asyncio.gather(
            *(ledgers[i % 2].take_lease(job.id, f"{now}-{i}", now, seconds=10) for i in range(CALLERS))
        )
        assert taken.count(True) == 1


async def test_a_cancelled_job_cannot_be_leased(open_ledger: Open) -> None:
    ledger = open_ledger()
    job, _ = await ledger.add(new_job(ORDER, 0))
    assert await ledger.take_lease(job.id, "a", now=0, seconds=10)
    await ledger.change(job.id, {State.INTENDED}, 1, state=State.CANCELLED)
    assert not await ledger.take_lease(job.id, "a", now=1, seconds=10)


async def test_progress_lines_are_stored_in_order_and_only_from_the_lease_owner(open_ledger: Open) -> None:
    here, there = open_ledger(), open_ledger()
    job, _ = await here.add(replace(new_job(ORDER, 0, State.RUNNING), interaction_id="v1_plan"))
    assert await here.take_lease(job.id, "a", now=0, seconds=10)
    assert await here.append_progress(job, "a", 1, "searching: Gezeiten 🌊", "e5", 5)
    assert await here.append_progress(job, "a", 2, "reading: \udfff", "e6", 6)
    assert not await there.append_progress(job, "b", 3, "searching: tides", "e7", 7)
    assert await there.lines(job) == ["searching: Gezeiten 🌊", "reading: \ufffd"]
    found = await there.get(job.id)
    assert found is not None
    assert (found.line, found.cursor, found.events, found.updated) == ("reading: \ufffd", "e6", 6, 2)
    assert await there.lines(replace(job, interaction_id="v1_research")) == []
    await there.change(job.id, {State.RUNNING}, 4, state=State.CANCELLED)
    assert not await here.append_progress(job, "a", 5, "searching: the moon", "e8", 8)
    await here.delete(job.id)
    assert await there.lines(job) == []


async def test_abandoned_returns_running_jobs_without_a_valid_lease(open_ledger: Open) -> None:
    ledger = open_ledger()
    orphan, followed, elsewhere = [job_of(f"brief {n}", created=n, state=State.RUNNING) for n in range(3)]
    elsewhere = replace(elsewhere, order=replace(elsewhere.order, server="gemini"))
    for job in (orphan, followed, elsewhere):
        await ledger.add(job)
    assert await ledger.take_lease(followed.id, "a", now=0, seconds=10)
    running = {State.RUNNING}
    assert await ledger.find_orphaned("", 10, running, before=10) == [orphan]
    assert await ledger.find_orphaned("", 10.5, running, before=10) == [orphan, followed]
    assert await ledger.find_orphaned("", 10.5, running, before=orphan.updated) == []
    assert await ledger.find_orphaned("", 10.5, {State.STALLED}, before=10) == []
    assert await ledger.find_orphaned("gemini", 10, running, before=10) == [elsewhere]


async def test_a_report_is_read_back_byte_for_byte(open_ledger: Open) -> None:
    ledger = open_ledger()
    job, _ = await ledger.add(new_job(ORDER, 0))
    assert await ledger.report(job.id) is None
    text = json.dumps({"text": "Ebbe & Flut – 潮汐 🌊 \u0000\r\n" * 50_000}, ensure_ascii=False)
    await ledger.change(job.id, {State.INTENDED}, 1, report=text)
    assert await open_ledger().report(job.id) == text
    await ledger.delete(job.id)
    assert (await ledger.report(job.id), await ledger.get(job.id)) == (None, None)


async def test_characters_that_a_database_cannot_store_are_replaced_and_the_rest_is_kept(open_ledger: Open) -> None:
    ledger = open_ledger()
    job, _ = await ledger.add(job_of("half \ud83c of a wave, and \0"))
    await ledger.change(job.id, {State.INTENDED}, 1, report="half \ud83c of a wave 🌊\0", line="\udfff")
    found = await ledger.get(job.id)
    assert found is not None
    assert (found.order.brief, found.line) == ("half \ufffd of a wave, and ?", "\ufffd")
    assert await ledger.report(job.id) == "half \ufffd of a wave 🌊?"


async def test_a_write_completes_although_its_caller_is_cancelled(open_ledger: Open) -> None:
    ledger = open_ledger()
    job, _ = await ledger.add(new_job(ORDER, 0))
    writing = asyncio.create_task(ledger.change(job.id, {State.INTENDED}, 1, state=State.STARTING))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    async with asyncio.timeout(60):
        while (found := await ledger.get(job.id)) and found.state is State.INTENDED:
            await asyncio.sleep(0)
    assert found is not None
    assert found.state is State.STARTING


async def test_renew_extends_all_leases_of_one_owner_and_no_others(open_ledger: Open) -> None:
    ledger = open_ledger()
    mine, ended, theirs = [job_of(brief, state=State.RUNNING) for brief in ("mine", "ended", "theirs")]
    for job, owner in ((mine, "me"), (ended, "me"), (theirs, "they")):
        await ledger.add(job)
        assert await ledger.take_lease(job.id, owner, 0, 10)
    await ledger.change(ended.id, {State.RUNNING}, 1, state=State.COMPLETED)
    assert await ledger.renew_leases("me", 9, 10) == {mine.id}
    assert not await ledger.take_lease(mine.id, "they", 18, 10)
    assert await ledger.take_lease(theirs.id, "me", 18, 10)
    assert await ledger.renew_leases("me", 18, 10) == {mine.id, theirs.id}


async def test_all_processes_get_the_same_secret(open_ledger: Open) -> None:
    found = await asyncio.gather(*(open_ledger().secret("board") for _ in range(8)))
    assert len({*found}) == 1
    assert len(found[0]) == 64
    assert await open_ledger().secret("other") not in found


async def test_a_list_of_jobs_has_none_of_their_files_and_the_same_order_is_still_recognized(open_ledger: Open) -> None:
    ledger = open_ledger()
    files = [({"type": "document", "mime_type": "text/plain", "data": data},) for data in ("bmVhcA==", "c3ByaW5n")]
    orders = [replace(ORDER, inputs=inputs, session="s1") for inputs in ((), *files)]
    jobs = [(await ledger.add(new_job(order, number, State.RUNNING)))[0] for number, order in enumerate(orders)]
    listed = await ledger.find()
    assert [job.order.inputs for job in listed] == [()] * 3
    assert (await ledger.get(jobs[1].id, with_files=False)) == listed[1]
    assert [job.order.inputs for job in await ledger.find_orphaned("", 10, {State.RUNNING}, 10)] == [()] * 3
    for order, job in zip(orders, jobs, strict=True):
        assert await job_of_other_session(ledger, listed, replace(order, session="s2")) == job
    other = replace(ORDER, inputs=({"type": "document", "mime_type": "text/plain", "data": "ZWJi"},), session="s2")
    assert await job_of_other_session(ledger, listed, other) is None
