"""Applies a person's yes or no to what was asked about a schedule."""

from __future__ import annotations

import time

from tools.research.open_questions import Action
from tools.research.schedules.schedule import SCHEDULE_ID, Schedule, Status
from tools.research.schedules.texts import standing
from tools.research.service import Research
from tools.researcher import confirmation
from tools.researcher.schedule_texts import describe, paused_text


async def approve(service: Research, turn: confirmation.TurnContext, schedule: Schedule) -> str:
    """Applies the person's yes to a proposal, or to resume a paused schedule, and returns what to say.

    Raises:
        NotConfirmed: there is no valid yes.
    """
    if schedule.status is not Status.ACTIVE:
        yes = await confirmation.yes_to(service.ledger, turn, schedule.id, Action.SCHEDULE, schedule.version)
        schedule = await service.schedules.activate(schedule, yes)
    stands = standing(schedule, time.time())
    return f"Schedule `{schedule.id}` ({describe(schedule)}): {stands}. To end it: say “cancel {schedule.id}”."


async def end(service: Research, turn: confirmation.TurnContext, schedule: Schedule) -> str:
    """Ends a schedule, or applies a no to what was asked about it, and returns what to say."""
    if schedule.status is Status.PAUSED and await service.ledger.questions(
        turn.user, turn.session, subject=schedule.id
    ):
        await service.ledger.withdraw_questions(turn.user, turn.session, schedule.id)
        return paused_text(schedule)
    await service.schedules.delete(schedule)
    if schedule.status is Status.PROPOSED:
        return f"Schedule `{schedule.id}` is dropped. Nothing was started."
    return f"Schedule `{schedule.id}` ({describe(schedule)}) is ended. Its runs and their reports stay."


async def find(service: Research, user: str, schedule_id: str) -> Schedule | None:
    """Returns a user's schedule. Returns None if the id does not have the form of a schedule's id.

    Raises:
        UnknownSchedule: the user has no such schedule.
    """
    schedule_id = schedule_id.strip().strip("`").casefold()
    return await service.schedules.own(user, schedule_id) if SCHEDULE_ID.fullmatch(schedule_id) else None
