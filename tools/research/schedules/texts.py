"""Texts about a schedule for a person."""

from __future__ import annotations

import math

from tools.research.pricing import QUESTION_COST_USD, price_range
from tools.research.schedules.schedule import Schedule
from tools.research.timeouts import OVERDUE_AFTER_S

SHOWN_TIMES = 3
"""Number of due times that are shown before a yes."""


def terms(schedule: Schedule, now: float) -> dict[str, str]:
    """Returns what a person agrees to, as names and values. A paused schedule has no next times."""
    following = [schedule.timing.show(due) for due in schedule.timing.upcoming(now, SHOWN_TIMES)]
    return {
        "Agent": schedule.order.agent,
        "When": schedule.timing.words(),
        **({} if schedule.status == "paused" else {"Next": ", ".join(following)}),
        "Price": f"{price_range(schedule.order.agent)} a run, and up to ${QUESTION_COST_USD:.2f} for a description"
        " of what has changed, if the ceiling allows it",
        "Ceiling": f"{schedule.ceiling} in a calendar month{_shortfall(schedule, now)}",
    }


def standing(schedule: Schedule, now: float) -> str:
    """Says in a few words what a schedule does."""
    if schedule.held:
        return "waits"
    if schedule.due is None:
        return "paused" if schedule.status == "paused" else "waits for a yes"
    return "overdue" if is_overdue(schedule, now) else f"next {schedule.timing.show(schedule.due)}"


def is_overdue(schedule: Schedule, now: float) -> bool:
    """Whether a run is overdue, because no process was running that could have started it."""
    return schedule.due is not None and not schedule.held and schedule.due < now - OVERDUE_AFTER_S


def _shortfall(schedule: Schedule, now: float) -> str:
    """Says how many runs of the next whole month the ceiling allows, if it does not allow all."""
    _, begins = schedule.timing.month(now)
    wanted = schedule.timing.count(*schedule.timing.month(begins))
    allowed = math.floor(schedule.max_usd / schedule.price)
    if wanted <= allowed:
        return ""
    month = schedule.timing.show_month(begins)
    return f": enough for {allowed} of the {wanted} runs of {month}; those that could exceed it are left out"
