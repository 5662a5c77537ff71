"""Which runs schedules start: once for each due time, within the ceiling and the limits, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.schedules.conftest import AGENT, DAY, DECEMBER, HOUR, LIMITS, MONDAYS, Open, Replica, at_once
from tests.schedules.test_timing import at
from tools.research.job_states import State
from tools.research.notices.outbox import CEILING
from tools.research.open_questions import Action, NotConfirmed, Question, Yes
from tools.research.order import Order
from tools.research.quotas import Quotas
from tools.research.schedules.ceiling import affords_description
from tools.research.schedules.schedule import (
    MAX_SCHEDULES,
    BadSchedule,
    Schedule,
    ScheduleChanged,
    Status,
    UnknownSchedule,
)
from tools.research.schedules.timing import Timing


async def test_processes_that_ask_at_once_start_one_run_for_each_due_time(open_ledger: Open) -> None:
    replicas = [Replica(open_ledger()) for _ in range(4)]
    first = await replicas[0].add()
    await replicas[0].add("Winds?")
    for due in DECEMBER[:3]:
        assert await at_once(replicas, due - 1) == []
        started = await at_once(replicas, due)
        assert len(started) == 2
        assert await at_once(replicas, due + 60) == []
        await replicas[0].finish(*started)
    jobs = [job for job in await replicas[0].jobs() if job.order.schedule == first.id]
    assert [job.order.due for job in jobs] == DECEMBER[:3]
    assert {job.order.brief for job in jobs} == {"Tides?"}
    assert len({job.order.key for job in jobs}) == 3
    assert sorted(job_id for replica in replicas for job_id in replica.followed) == sorted(
        job.id for job in await replicas[0].jobs()
    )


async def test_times_that_were_missed_are_caught_up_by_one_run(open_ledger: Open) -> None:
    replica = Replica(open_ledger())
    made = await replica.add()
    later = DECEMBER[2] + DAY
    assert len(await replica.start_due(later)) == 1
    assert await replica.start_due(later) == []
    assert await replica.dues() == DECEMBER[:1]
    again = await replica.schedules.own("ada", made.id)
    assert again.due == DECEMBER[3]


async def test_the_ceiling_of_a_month_is_kept_and_noticed_once_and_the_next_month_begins_anew(
    open_ledger: Open,
) -> None:
    replica = Replica(open_ledger())
    made = await replica.add(timing=Timing("0 8 * * *", "Europe/Berlin"), max_usd=7)
    for day in range(1, 40):
        await replica.finish(*await replica.start_due(at("2026-12-01T08:00+01:00") + (day - 1) * DAY))
    new_year = at("2027-01-01T08:00+01:00")
    december = at("2026-12-01T08:00+01:00")
    assert await replica.dues() == [december, december + DAY, new_year, new_year + DAY]
    notices = await replica.ledger.notices.of_job(made.id)
    assert [(each.state, each.target) for each in notices] == [(CEILING, "hook"), (CEILING, "hook")]
    assert [each.created for each in notices] == [december + 2 * DAY, new_year + 2 * DAY]


async def test_a_deleted_run_and_one_that_was_not_sent_yet_count_towards_the_ceiling(open_ledger: Open) -> None:
    replica = Replica(open_ledger())
    made = await replica.add(timing=Timing("0 8 * * *", "UTC"), max_usd=6)
    (first,) = await replica.start_due(at("2026-12-01T08:00"))
    await replica.finish(first)
    await replica.ledger.delete(first)
    assert await replica.schedules.spent(made) == 3
    (second,) = await replica.start_due(at("2026-12-02T08:00"))
    assert await replica.schedules.spent(made) == 6
    await replica.finish(second)
    assert await replica.start_due(at("2026-12-03T08:00")) == []
    assert await replica.schedules.spent(made) == 6


async def test_a_run_that_provably_started_nothing_does_not_count(open_ledger: Open) -> None:
    replica = Replica(open_ledger())
    made = await replica.add(max_usd=3)
    (job_id,) = await replica.start_due(DECEMBER[0])
    job = await replica.ledger.get(job_id)
    assert job
    await replica.ledger.mark_starting(job, DECEMBER[0])
    assert await replica.schedules.spent(made) == 3
    await replica.ledger.change(job_id, {State.STARTING}, DECEMBER[0], refused=True, state=State.FAILED)
    assert await replica.schedules.spent(made) == 0
    assert len(await replica.start_due(DECEMBER[1])) == 1


async def test_limits_of_the_user_delay_a_run_and_lose_none(open_ledger: Open) -> None:
    replica, one = Replica(open_ledger()), Quotas(at_once=1)
    schedules = [await replica.add(brief) for brief in ("Tides?", "Winds?")]
    (first,) = await replica.start_due(DECEMBER[0], one)
    assert await replica.start_due(DECEMBER[0] + 20, one) == []
    held = [each for each in [await replica.schedules.own("ada", s.id) for s in schedules] if each.held]
    assert ["wait or cancel one" in each.held for each in held] == [True]
    await replica.finish(first)
    (second,) = await replica.start_due(DECEMBER[0] + HOUR, one)
    assert await replica.dues() == [DECEMBER[0], DECEMBER[0]]
    assert (await replica.schedules.own("ada", held[0].id)).held == ""
    await replica.finish(second)
    assert await replica.start_due(DECEMBER[0] + 2 * HOUR, one) == []


async def test_an_order_whose_process_died_before_it_was_sent_takes_the_place_of_the_next_run(
    open_ledger: Open,
) -> None:
    replica = Replica(open_ledger())
    made = await replica.add(max_usd=3)
    (job_id,) = await replica.start_due(DECEMBER[0])
    assert await replica.start_due(DECEMBER[0] + HOUR / 2) == []  # the next process that resumes orphans sends it
    assert await replica.start_due(DECEMBER[0] + 2 * HOUR) == [job_id]  # too old for that: allowed anew
    assert await replica.start_due(DECEMBER[0] + 2 * HOUR + 60) == []
    assert await replica.start_due(DECEMBER[2]) == [job_id]
    assert await replica.dues() == [DECEMBER[0]]
    assert (await replica.schedules.own("ada", made.id)).due == DECEMBER[3]
    job = await replica.ledger.get(job_id)
    assert job
    assert await replica.ledger.mark_starting(job, DECEMBER[2] + 60)  # needs no other yes


async def test_a_paused_schedule_starts_nothing_and_catches_nothing_up(open_ledger: Open) -> None:
    replica = Replica(open_ledger())
    made = await replica.schedules.pause(await replica.add())
    assert (made.status, made.due) == (Status.PAUSED, None)
    assert await replica.start_due(DECEMBER[1] + 60) == []
    made = await replica.schedules.activate(made)
    assert (made.status, made.due) == (Status.ACTIVE, DECEMBER[2])
    assert await replica.start_due(DECEMBER[1] + 120) == []
    await replica.schedules.delete(made)
    assert await replica.start_due(DECEMBER[3]) == []
    assert await replica.jobs() == []


async def test_a_proposal_starts_nothing_before_its_yes_and_the_yes_counts_once_for_what_was_shown(
    open_ledger: Open,
) -> None:
    replica = Replica(open_ledger())
    proposed = await replica.add(propose=True)
    assert await replica.start_due(DECEMBER[0]) == []
    question = Question("ada", "s1", proposed.id, Action.SCHEDULE, proposed.version, "turn1")
    await replica.ledger.save_question(question)
    other = Yes(Question("ada", "s1", proposed.id, Action.SCHEDULE, "another", "turn1"), "turn2")
    with pytest.raises(NotConfirmed):
        await replica.schedules.activate(proposed, other)
    assert (await replica.schedules.own("ada", proposed.id)).status is Status.PROPOSED
    yes = Yes(question, "turn2")
    active = await replica.schedules.activate(proposed, yes)
    assert (active.status, active.due) == (Status.ACTIVE, DECEMBER[1])
    assert await replica.ledger.questions("ada") == []
    await replica.schedules.delete(active)
    again = await replica.add(propose=True)
    with pytest.raises(NotConfirmed):
        await replica.schedules.activate(again, yes)


async def test_a_proposal_that_is_started_while_another_ceiling_is_proposed_stays_as_it_was_agreed_to(
    open_ledger: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = Replica(open_ledger())
    proposed, add = await replica.add(propose=True), replica.ledger.schedules.add

    async def add_then_start(schedule: Schedule) -> tuple[Schedule, bool]:
        found = await add(schedule)
        await replica.schedules.activate(proposed)
        return found

    monkeypatch.setattr(replica.ledger.schedules, "add", add_then_start)
    made, new = await replica.schedules.add(proposed.order, MONDAYS, 30, LIMITS, propose=True)
    assert (made.id, made.status, made.max_usd, new) == (proposed.id, Status.ACTIVE, proposed.max_usd, False)
    assert len(await replica.start_due(DECEMBER[0])) == 1


async def test_a_proposal_that_is_started_while_it_is_dropped_stays_and_the_answer_says_so(open_ledger: Open) -> None:
    replica, other = Replica(open_ledger()), Replica(open_ledger())
    proposed = await replica.add(propose=True)
    active = await other.schedules.activate(proposed)
    with pytest.raises(ScheduleChanged, match=f"{proposed.id} has changed at this moment: it is active now"):
        await replica.schedules.delete(proposed)
    assert len(await replica.start_due(DECEMBER[0])) == 1
    await replica.schedules.delete(active)
    await replica.schedules.delete(active)  # a repeated request: it is gone, as wanted
    assert await replica.schedules.of_user("ada") == []


async def test_the_same_schedule_is_made_once_and_users_share_none(open_ledger: Open) -> None:
    replica = Replica(open_ledger())
    made = await replica.add()
    order = Order(" tides? ", "ada", "s2", AGENT)
    assert await replica.schedules.add(order, MONDAYS, 30, LIMITS) == (made, False)
    other = await replica.add(user="eve")
    assert await replica.schedules.of_user("ada") == [made]
    with pytest.raises(UnknownSchedule):
        await replica.schedules.own("ada", other.id)


async def test_a_schedule_of_another_server_is_neither_started_nor_listed(open_ledger: Open) -> None:
    replica = Replica(open_ledger())
    await replica.add()
    replica.schedules._server = lambda: "gemini https://example.org"
    assert await replica.start_due(DECEMBER[0]) == []
    assert await replica.schedules.of_user("ada") == []


@pytest.mark.parametrize(
    ("max_usd", "says"),
    [
        (2.99, "may cost $3, so a ceiling of $2.99 a month allows none"),
        (0, "above 0"),
        (-5, "above 0"),
        (float("nan"), "above 0"),
        (float("inf"), "above 0"),
    ],
)
async def test_a_ceiling_that_allows_no_run_is_refused(open_ledger: Open, max_usd: float, says: str) -> None:
    with pytest.raises(BadSchedule) as refused:
        await Replica(open_ledger()).add(max_usd=max_usd)
    assert says in str(refused.value)


async def test_a_daily_limit_that_allows_no_run_is_refused(open_ledger: Open) -> None:
    order = Order("Tides?", "ada", "s1", AGENT)
    with pytest.raises(BadSchedule, match="no run could start"):
        await Replica(open_ledger()).schedules.add(order, MONDAYS, 10, Quotas(usd_per_day=2))


async def test_a_user_has_a_bounded_number_of_schedules(open_ledger: Open) -> None:
    replica = Replica(open_ledger())
    for number in range(MAX_SCHEDULES):
        await replica.add(f"Question {number}")
    with pytest.raises(BadSchedule, match="delete one first"):
        await replica.add("One more")
    await replica.add("One more", user="eve")


@pytest.mark.parametrize("column", ["zone", "cron", "options", "status", "max_usd"])
async def test_a_row_that_cannot_be_read_stops_no_other_schedule(open_ledger: Open, url: str, column: str) -> None:
    replica = Replica(open_ledger())
    broken = await replica.add("Broken?")
    await replica.add("Whole?")
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        value = "-1" if column == "max_usd" else "'nonsense'"
        await connection.execute(text(f"UPDATE desk_schedules SET {column} = {value} WHERE id = '{broken.id}'"))
    await engine.dispose()
    assert len(await replica.start_due(DECEMBER[0])) == 1
    assert [job.order.brief for job in await replica.jobs()] == ["Whole?"]


async def test_words_about_changes_never_take_the_money_of_a_run(open_ledger: Open) -> None:
    replica = Replica(open_ledger())
    exact = await replica.add(max_usd=12)
    assert not affords_description(exact, 3, DECEMBER[0])  # three more runs need all that is left
    assert affords_description(exact, 3, DECEMBER[2])  # one more run is due, and two are paid for
    assert not affords_description(exact, 12, DECEMBER[3])
    roomy = await replica.add("Winds?", max_usd=12.4)
    assert all(
        affords_description(roomy, 3 * number + 0.1 * (number - 1), due) for number, due in enumerate(DECEMBER, 1)
    )
