"""Schedules in a conversation: one question that shows the ceiling, and one yes, which no model can give."""

from __future__ import annotations

import pytest

from tests.researcher.conftest import Call, Desk
from tools.research.order import Order
from tools.research.quotas import Quotas
from tools.research.schedules.schedule import Schedule, Status
from tools.research.schedules.timing import Timing

BRIEF = "New papers about tides"


def propose(**more: object) -> list[Call]:
    wanted = {"title": "Tides", "brief": BRIEF, "every": "monday 09:00", "timezone": "Europe/Berlin"}
    return [("schedule_research", {**wanted, "max_usd_per_month": 15, **more})]


def approve(schedule: Schedule) -> list[Call]:
    return [("approve", {"job_id": schedule.id})]


async def proposed(desk: Desk) -> Schedule:
    await desk.say("tides every monday, at most 15 dollars a month", propose())
    (schedule,) = await schedules(desk)
    assert schedule.status is Status.PROPOSED
    return schedule


async def schedules(desk: Desk) -> list[Schedule]:
    return await desk.service.schedules.of_user("ada")


async def test_a_schedule_starts_after_one_yes_to_its_times_price_and_ceiling(desk: Desk) -> None:
    shown = await desk.say("tides every monday, at most 15 dollars a month", propose())
    (schedule,) = await schedules(desk)
    facts = (
        BRIEF,
        "09:00 on Monday (Europe/Berlin)",
        "$1 to $3 a run",
        "$15 in a calendar month",
        schedule.id,
        "**yes**",
    )
    for fact in facts:
        assert fact in shown
    assert (schedule.status, schedule.due, await desk.jobs()) == (Status.PROPOSED, None, [])
    told = await desk.say("yes", approve(schedule))
    (schedule,) = await schedules(desk)
    assert (schedule.status, bool(schedule.due)) == (Status.ACTIVE, True)
    assert "next Mon" in told
    assert "waits for your yes" not in told


async def test_a_model_cannot_approve_a_schedule_in_the_turn_that_proposes_it(desk: Desk) -> None:
    schedule = await proposed(desk)
    await desk.service.schedules.delete(schedule)
    await desk.say("tides every monday", [*propose(), ("approve", {"job_id": schedule.id})])
    assert [each.status for each in await schedules(desk)] == [Status.PROPOSED]


async def test_a_question_in_between_repeats_the_terms_and_the_yes_still_counts(desk: Desk) -> None:
    schedule = await proposed(desk)
    said = await desk.say("what does it cost?", "Up to $3 a run.")
    assert f"`{schedule.id}`" in said and "at most $15 a month" in said
    await desk.say("ok, yes", approve(schedule))
    assert [each.status for each in await schedules(desk)] == [Status.ACTIVE]


async def test_a_yes_that_names_another_schedule_or_comes_after_a_turn_elsewhere_starts_nothing(desk: Desk) -> None:
    schedule = await proposed(desk)
    await desk.say("yes, sched_22222222", approve(schedule), "Which one?")
    assert [each.status for each in await schedules(desk)] == [Status.PROPOSED]
    desk.script.root[:] = [("forget_conversation", {})]  # a turn that is not the researcher's
    await desk.say("hello")
    await desk.say("thanks, ok", approve(schedule), "It has to be asked for again.")
    assert [each.status for each in await schedules(desk)] == [Status.PROPOSED]


async def test_a_no_drops_a_proposal_and_a_cancel_ends_a_schedule(desk: Desk) -> None:
    schedule = await proposed(desk)
    said = await desk.say("no", [("cancel_research", {"job_id": schedule.id})])
    assert "is dropped" in said and await schedules(desk) == []
    schedule = await proposed(desk)
    await desk.say("yes", approve(schedule))
    said = await desk.say("stop it", [("cancel_research", {"job_id": schedule.id})])
    assert "is ended" in said and await schedules(desk) == []


async def test_a_schedule_is_paused_at_once_and_resumes_only_after_a_yes_to_its_terms(desk: Desk) -> None:
    schedule = await proposed(desk)
    await desk.say("yes", approve(schedule))
    about = {"schedule_id": schedule.id}
    said = await desk.say("pause it", [("pause_schedule", about)])
    assert "is paused" in said and "waits for your yes" not in said
    assert [(each.status, each.due) for each in await schedules(desk)] == [(Status.PAUSED, None)]
    await desk.say("yes", approve(schedule), "Nothing was asked.")
    said = await desk.say("resume it", [("resume_schedule", about), ("approve", {"job_id": schedule.id})])
    assert "$15 in a calendar month" in said and "**no** to leave it paused" in said
    assert [each.status for each in await schedules(desk)] == [Status.PAUSED]
    await desk.say("yes", approve(schedule))
    assert [(each.status, bool(each.due)) for each in await schedules(desk)] == [(Status.ACTIVE, True)]


async def test_a_no_to_resuming_leaves_a_schedule_paused_and_the_next_cancel_ends_it(desk: Desk) -> None:
    schedule = await proposed(desk)
    await desk.say("yes", approve(schedule))
    about = {"schedule_id": schedule.id}
    await desk.say("pause it, and resume it", [("pause_schedule", about)], [("resume_schedule", about)])
    await desk.say("resume it", [("resume_schedule", about)])
    said = await desk.say("no", [("cancel_research", {"job_id": schedule.id})])
    assert "is paused" in said and [each.status for each in await schedules(desk)] == [Status.PAUSED]
    await desk.say("yes", approve(schedule), "Nothing was asked.")
    assert [each.status for each in await schedules(desk)] == [Status.PAUSED]
    said = await desk.say("end it", [("cancel_research", {"job_id": schedule.id})])
    assert "is ended" in said and await schedules(desk) == []


async def test_a_proposal_that_is_to_be_paused_is_asked_about_again(desk: Desk) -> None:
    schedule = await proposed(desk)
    said = await desk.say("pause it", [("pause_schedule", {"schedule_id": schedule.id})])
    assert "Nothing was started." in said
    assert [each.status for each in await schedules(desk)] == [Status.PROPOSED]


async def test_another_ceiling_for_the_same_proposal_needs_a_new_yes(desk: Desk) -> None:
    first = await proposed(desk)
    shown = await desk.say("make it 30 dollars", propose(max_usd_per_month=30))
    (second,) = await schedules(desk)
    assert second.id != first.id and "$30 in a calendar month" in shown
    await desk.say("yes", approve(second))
    assert [(each.max_usd, each.status) for each in await schedules(desk)] == [(30, Status.ACTIVE)]
    said = await desk.say("and again every monday", propose())
    assert second.id in said and len(await schedules(desk)) == 1


async def test_a_user_sees_and_steers_no_schedule_of_another_user(desk: Desk) -> None:
    order = Order("A secret topic", "eve", desk.talk.session_id, "deep-research-preview-04-2026")
    foreign, _ = await desk.service.schedules.add(order, Timing("0 8 * * 1", "UTC"), 9, Quotas(), propose=True)
    tools = {"approve": "job_id", "cancel_research": "job_id"}
    for name, key in {**tools, "pause_schedule": "schedule_id", "resume_schedule": "schedule_id"}.items():
        said = await desk.say(f"yes, {foreign.id}", [(name, {key: foreign.id})], "There is none.")
        assert "A secret topic" not in said
    said = await desk.say("list", [("list_research", {})])
    assert "A secret topic" not in said and foreign.id not in said and "There is no schedule." in said
    assert (await desk.service.schedules.own("eve", foreign.id)).status is Status.PROPOSED
    assert not any("A secret topic" in turn.system_instruction for turn in desk.script.asked)


async def test_the_report_of_a_scheduled_run_begins_with_what_has_changed(desk: Desk) -> None:
    order = Order("Tides?", "ada", desk.talk.session_id, "deep-research-preview-04-2026")
    made, _ = await desk.service.schedules.add(order, Timing("0 8 * * 1", "UTC"), 30, Quotas())
    for _ in range(2):
        made = await desk.service.schedules.own("ada", made.id)
        assert made.due
        job_id = (await desk.service.ledger.schedules.order_due(made, made.job(made.due), made.due + 9e5, Quotas())).job
        said = await desk.say(f"show {job_id}", [("show_research", {"job_id": job_id})])
    assert said.index("Nothing has changed since job_") < said.index("The moon moves the sea")


async def test_the_list_and_the_instruction_of_the_model_have_the_schedules(desk: Desk) -> None:
    schedule = await proposed(desk)
    said = await desk.say("list", [("list_research", {})])
    assert f"`{schedule.id}` waits for a yes: “Tides”" in said
    assert f"- {schedule.id} | waits for a yes: schedule |" in desk.script.asked[-1].system_instruction


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"max_usd_per_month": 2}, "a ceiling of $2 a month allows none"),
        ({"max_usd_per_month": "a lot"}, "`max_usd_per_month` is not a number"),
        ({"max_usd_per_month": 10**400}, "`max_usd_per_month` is too large"),
        ({"every": "munday"}, "`munday` is no day"),
        ({"every": "", "cron": "0 0 30 2 *"}, "is never due"),
        ({"timezone": "Mars/Base"}, "there is no time zone `Mars/Base`"),
        ({"brief": " "}, "`brief` is empty"),
    ],
)
async def test_a_proposal_that_cannot_be_used_is_explained_and_stores_nothing(
    more: dict[str, object], says: str, desk: Desk
) -> None:
    await desk.say("tides every monday", propose(**more), "It cannot be done.")
    result = desk.script.asked[-1].steps[-1]["result"]
    assert says in result["error"]
    assert await schedules(desk) == []


async def test_a_yes_to_a_deletion_starts_no_schedule(desk: Desk) -> None:
    schedule = await proposed(desk)
    await desk.say("yes", [("approve", {"job_id": schedule.id, "deletes": True})], "Nothing was done.")
    assert [each.status for each in await schedules(desk)] == [Status.PROPOSED]
