"""The questions that wait for a yes, and the lines that remind of them at the end of a turn."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from tools.research.job_states import State
from tools.research.open_questions import Action, Question
from tools.research.service import Research
from tools.researcher import confirmation, schedule_texts
from tools.researcher.run_texts import deletion, reminder, several_wait, unseen_notice


class WaitingQuestion(NamedTuple):
    """A question about a run or a schedule that waits for a yes."""

    question: Question
    asked: bool
    """Whether the user was asked before: false, for example, for a plan that has just arrived."""
    line: str
    """The text that repeats the question, or that says which question waits."""


async def reminders(
    service: Research, turn: confirmation.TurnContext, shown: Mapping[str, Action], withheld: Collection[str]
) -> tuple[list[str], list[Question]]:
    """Returns the lines that remind of the questions that wait for a yes, and the questions that the turn has shown.

    Args:
        shown: the questions that this turn has shown in full, as in `waiting_questions`.
        withheld: ids of the runs whose texts moderation blocked.
    """
    found = await waiting_questions(service, turn, shown)
    waiting = [w for w in found if w.question.subject not in withheld]
    if shown:  # one thing at a time: others are asked about again in a later turn
        waiting = [w for w in waiting if w.question.subject in shown]
    lines = [w.line for w in waiting if w.question.subject not in shown]
    seen = [w.question for w in waiting if w.asked or w.question.subject in shown]
    if len(seen) > 1:
        lines.append(several_wait(seen[0].subject))
    return lines, seen


async def waiting_questions(
    service: Research, turn: confirmation.TurnContext, shown: Mapping[str, Action]
) -> list[WaitingQuestion]:
    """Lists the questions about the runs and schedules of a conversation that wait for a yes.

    Args:
        shown: the questions that this turn has shown: maps the id of a run or schedule to what its question asks. The
            run may belong to another conversation. The question replaces an earlier one about the same run.
    """
    asked = {question.subject: question for question in await service.ledger.questions(turn.user, turn.session)}
    known = await service.jobs(turn.user)
    jobs = [job for job in known if job.order.session == turn.session or job.id in asked or job.id in shown]
    found = list[WaitingQuestion]()
    for job in jobs:
        before = asked.get(job.id)
        if before and shown.get(job.id, before.action) is Action.DELETE:
            is_new = before.version != job.stamp and job.id not in shown
            question = turn.question(job.id, Action.DELETE, job.stamp) if is_new else before
            found.append(WaitingQuestion(question, True, deletion(job) if is_new else reminder(job, True)))
        elif job.state is State.AWAITING_APPROVAL:
            question = turn.question(job.id, Action.START, job.version)
            known_to_user = bool(before and before.version == question.version)
            line = reminder(job, False) if known_to_user else unseen_notice(job)
            found.append(WaitingQuestion(question, known_to_user, line))
    for schedule in await service.schedules.of_user(turn.user):
        here = schedule.order.session == turn.session or schedule.id in asked or schedule.id in shown
        if here and schedule_texts.waits_for_yes(schedule, {*asked, *shown}):
            question = turn.question(schedule.id, Action.SCHEDULE, schedule.version)
            found.append(WaitingQuestion(question, True, schedule_texts.reminder(schedule)))
    return found
