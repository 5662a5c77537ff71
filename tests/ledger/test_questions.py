"""Confirmation questions in the ledger: each is answered once, and each answer counts for one question."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.ledger.conftest import Open
from tests.ledger.test_contract import ORDER, job_of
from tools.research.job import Plan, new_job
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.open_questions import Action, NotConfirmed, Question, Yes
from tools.research.quotas import LimitReached
from tools.research.spending import Used

QUESTION = Question("ada", "s1", "job_aaaaaaaa", Action.START, "brief 1", "turn 1")
ANSWERS = 8


async def answered(ledger: Ledger, question: Question, answer: str) -> bool:
    """Whether the answer with this id counts for the question."""
    try:
        await ledger.use_yes(Yes(question, answer))
    except NotConfirmed:
        return False
    return True


def about(subject: str) -> Question:
    return replace(QUESTION, subject=subject)


async def test_a_question_is_open_only_for_the_user_and_conversation_that_were_asked(open_ledger: Open) -> None:
    ledger = open_ledger()
    elsewhere = replace(QUESTION, session="s2")
    other = replace(QUESTION, user="bob", action=Action.DELETE, version="")
    for question in (QUESTION, elsewhere, other):
        await ledger.save_question(question)
    there = open_ledger()
    assert await there.questions("ada", "s1") == [QUESTION]
    assert await there.questions("ada", "s2") == [elsewhere]
    assert await there.questions("bob", "s1") == [other]
    assert await there.questions("eve", "s1") == []


async def test_a_question_can_be_answered_only_once(open_ledger: Open) -> None:
    ledger = open_ledger()
    await ledger.save_question(QUESTION)
    assert await answered(ledger, QUESTION, "turn 2")
    assert await ledger.questions("ada", "s1") == []
    assert not await answered(ledger, QUESTION, "turn 2")
    assert not await answered(ledger, QUESTION, "turn 3")


async def test_only_one_of_many_concurrent_answers_to_a_question_counts(open_ledger: Open) -> None:
    ledgers = [open_ledger(), open_ledger()]
    await ledgers[0].save_question(QUESTION)
    given = await asyncio.gather(*(answered(ledgers[n % 2], QUESTION, f"turn {n}") for n in range(ANSWERS)))
    assert given.count(True) == 1


async def test_one_answer_counts_for_only_one_of_many_questions(open_ledger: Open) -> None:
    ledgers = [open_ledger(), open_ledger()]
    questions = [about(f"job_{number}") for number in range(ANSWERS)]
    for question in questions:
        await ledgers[0].save_question(question)
    given = await asyncio.gather(*(answered(ledgers[n % 2], q, "turn 2") for n, q in enumerate(questions)))
    assert given.count(True) == 1
    left = await ledgers[1].questions("ada", "s1")
    assert {question.subject for question in left} == {
        question.subject for question, done in zip(questions, given, strict=True) if not done
    }
    assert not await answered(ledgers[1], left[0], "turn 2")
    assert await answered(ledgers[1], left[0], "turn 3")


Gone = Callable[[Ledger], Awaitable[None]]
GONE: dict[str, Gone] = {
    "asked anew": lambda ledger: ledger.save_question(replace(QUESTION, invocation="turn 2")),
    "withdrawn": lambda ledger: ledger.withdraw_questions("ada", "s1", QUESTION.subject),
    "its job deleted": lambda ledger: ledger.delete(QUESTION.subject),
}


@pytest.mark.parametrize("gone", GONE.values(), ids=list(GONE))
async def test_a_used_answer_stays_used_when_its_question_is_replaced_or_deleted(open_ledger: Open, gone: Gone) -> None:
    ledger, other = open_ledger(), about("job_bbbbbbbb")
    for question in (QUESTION, other):
        await ledger.save_question(question)
    assert await answered(ledger, QUESTION, "turn 2")
    await gone(ledger)
    assert not await answered(ledger, other, "turn 2")
    assert await ledger.questions("ada", "s1") != []
    assert await answered(ledger, other, "turn 3")


@pytest.mark.parametrize(
    "now",
    [{"invocation": "turn 2"}, {"version": "brief 2"}, {"action": Action.DELETE}],
    ids=lambda now: next(iter(now)),
)
async def test_an_answer_to_a_replaced_question_does_not_answer_the_new_one(
    open_ledger: Open, now: dict[str, str]
) -> None:
    ledger = open_ledger()
    await ledger.save_question(QUESTION)
    asked = replace(QUESTION, **now)  # type: ignore[arg-type]
    await ledger.save_question(asked)
    assert not await answered(ledger, QUESTION, "turn 3")
    assert await ledger.questions("ada", "s1") == [asked]
    assert await answered(ledger, asked, "turn 3")


async def test_a_question_asked_concurrently_is_stored_once(open_ledger: Open) -> None:
    ledgers = [open_ledger(), open_ledger()]
    asked = [replace(QUESTION, invocation=f"turn {number}") for number in range(ANSWERS)]
    await asyncio.gather(*(ledgers[n % 2].save_question(question) for n, question in enumerate(asked)))
    [stands] = await ledgers[0].questions("ada", "s1")
    assert stands in asked
    assert await answered(ledgers[1], stands, "turn 99")


async def test_one_question_or_all_questions_of_a_conversation_can_be_withdrawn(open_ledger: Open) -> None:
    ledger, second, third = open_ledger(), about("job_bbbbbbbb"), about("job_cccccccc")
    elsewhere = replace(QUESTION, session="s2")
    for question in (QUESTION, second, third, elsewhere):
        await ledger.save_question(question)
    await ledger.withdraw_questions("ada", "s1", QUESTION.subject)
    assert not await answered(ledger, QUESTION, "turn 2")
    assert {question.subject for question in await ledger.questions("ada", "s1")} == {second.subject, third.subject}
    await ledger.withdraw_questions("ada", "s1")
    assert await ledger.questions("ada", "s1") == []
    assert await ledger.questions("ada", "s2") == [elsewhere]


async def test_deleting_a_job_deletes_its_questions(open_ledger: Open) -> None:
    ledger, other = open_ledger(), about("job_bbbbbbbb")
    job, _ = await ledger.add(job_of("tides", state=State.AWAITING_APPROVAL))
    for question in (about(job.id), other):
        await ledger.save_question(question)
    await ledger.delete(job.id)
    assert await ledger.questions("ada", "s1") == [other]


async def test_a_job_can_be_approved_once_and_only_with_the_brief_that_was_shown(open_ledger: Open) -> None:
    ledgers = [open_ledger(), open_ledger()]
    job, _ = await ledgers[0].add(new_job(ORDER, 0, State.AWAITING_APPROVAL))
    rewritten = await ledgers[0].rewrite(job, 1, replace(ORDER, brief="Why are there waves?"))
    assert rewritten
    assert await ledgers[0].approve(job, 2, None) is None  # a yes to the old brief does not approve the new one
    agreed = await asyncio.gather(*(ledgers[n % 2].approve(rewritten, 3, None) for n in range(ANSWERS)))
    assert [found.state for found in agreed if found] == [State.INTENDED]


async def test_only_the_plan_that_was_shown_can_be_approved(open_ledger: Open) -> None:
    ledger, shown = open_ledger(), Plan("1. Look at the sea.", "v1_a")
    job, _ = await ledger.add(replace(new_job(ORDER, 0, State.AWAITING_APPROVAL), plan=shown))
    newer = Plan("1. Look at the moon.", "v1_b", earlier=("v1_a",))
    await ledger.change(job.id, {State.AWAITING_APPROVAL}, 1, plan=newer)
    assert await ledger.approve(job, 2, None, plan=replace(shown, approved=True)) is None
    assert await ledger.approve(replace(job, plan=None), 2, None) is None
    agreed = await ledger.approve(replace(job, plan=newer), 2, None, plan=replace(newer, approved=True))
    assert agreed
    assert (agreed.state, agreed.plan) == (State.INTENDED, replace(newer, approved=True))


async def test_a_brief_can_be_rewritten_before_approval_but_not_to_that_of_another_job(open_ledger: Open) -> None:
    ledger, waves = open_ledger(), replace(ORDER, brief="Why are there waves?", title="Waves")
    job, _ = await ledger.add(new_job(ORDER, 0, State.AWAITING_APPROVAL))
    rewritten = await ledger.rewrite(job, 1, waves)
    assert rewritten
    assert (rewritten.id, rewritten.order, rewritten.state) == (job.id, waves, State.AWAITING_APPROVAL)
    assert await ledger.add(new_job(waves, 2)) == (rewritten, False)  # it is found by its new brief
    tides, new = await ledger.add(new_job(ORDER, 3, State.AWAITING_APPROVAL))
    assert new  # and no longer by its old one
    assert await ledger.rewrite(tides, 4, waves) is None
    assert await ledger.get(tides.id) == tides
    await ledger.approve(tides, 5, None)
    assert await ledger.rewrite(tides, 6, replace(ORDER, brief="Why is there wind?")) is None


async def test_a_yes_is_used_up_only_if_its_approval_succeeds(open_ledger: Open) -> None:
    ledger = open_ledger()
    job, _ = await ledger.add(new_job(ORDER, 0, State.AWAITING_APPROVAL))
    yes = Yes(about(job.id), "turn 2")
    await ledger.save_question(yes.question)

    def full(used: Used) -> None:
        raise LimitReached("wait")

    with pytest.raises(LimitReached):
        await ledger.approve(job, 1, full, yes)
    assert await ledger.approve(replace(job, plan=Plan("1.", "v1_a")), 1, None, yes) is None
    assert await ledger.questions("ada", "s1") == [yes.question]  # neither failed approval has used up the yes
    other, _ = await ledger.add(new_job(replace(ORDER, brief="Waves"), 0, State.AWAITING_APPROVAL))
    await ledger.save_question(about(other.id))
    assert await ledger.approve(other, 1, None, Yes(about(other.id), "turn 2"))
    with pytest.raises(NotConfirmed, match="already answered another question"):
        await ledger.approve(job, 2, None, yes)
    assert await ledger.get(job.id) == job
    assert await ledger.approve(job, 2, None, yes._replace(answer="turn 3"))
    assert await ledger.questions("ada", "s1") == []


async def test_a_yes_to_planning_first_does_not_start_a_run_without_a_plan(open_ledger: Open) -> None:
    ledger, planned = open_ledger(), replace(ORDER, options={"collaborative_planning": True})
    job, _ = await ledger.add(new_job(planned, 0, State.AWAITING_APPROVAL))
    rewritten = await ledger.rewrite(job, 1, ORDER)  # somebody orders the same without a plan meanwhile
    assert rewritten
    assert await ledger.approve(job, 2, None) is None
    assert await ledger.approve(rewritten, 2, None)
