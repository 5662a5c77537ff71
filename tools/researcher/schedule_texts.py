"""Formats messages about a schedule for a person: the question before it starts, its reminder and its end."""

from __future__ import annotations

import time
from collections.abc import Container

from tools.research.job_texts import order_title
from tools.research.pricing import price_range
from tools.research.report.markdown_rendering import inert
from tools.research.schedules.schedule import Schedule, Status
from tools.research.schedules.texts import standing, terms

_START_ANSWERS = "Say **yes** to let these runs start without another question, **no** to drop it, or what to change."
_RESUME_ANSWERS = "Say **yes** to let it start runs again without another question, or **no** to leave it paused."


def paused_text(schedule: Schedule) -> str:
    """Says that a schedule is paused, and what the person can do next."""
    again = f"“resume {schedule.id}”, or to end it “cancel {schedule.id}”"
    return f"Schedule `{schedule.id}` ({describe(schedule)}) is paused: it starts nothing. To go on: say {again}."


def question(schedule: Schedule) -> str:
    """Formats the question before a schedule starts runs, for the first time or after a pause."""
    brief = "\n".join(f"> {line}" for line in inert(schedule.order.brief).splitlines())
    listed = "\n".join(f"- {name}: {value}" for name, value in terms(schedule, time.time()).items())
    title = inert(order_title(schedule.order))
    stands = "It is paused." if schedule.status is Status.PAUSED else "Nothing was started."
    answers = _RESUME_ANSWERS if schedule.status is Status.PAUSED else _START_ANSWERS
    return f"Schedule `{schedule.id}`: **{title}**\n\n{brief}\n\n{listed}\n\n{stands} {answers}"


def reminder(schedule: Schedule) -> str:
    """Formats the line that repeats an unanswered question about a schedule."""
    price = f"{price_range(schedule.order.agent)} a run, at most {schedule.ceiling} a month"
    return f"⏳ Schedule `{schedule.id}` ({describe(schedule)}) waits for your yes: {price}. Say **yes** or **no**."


def listing(schedules: list[Schedule]) -> str:
    """Formats a list of schedules, one line each."""
    lines = [f"- `{each.id}` {_stands(each)}: {describe(each)}, at most {each.ceiling} a month" for each in schedules]
    return "\n".join(["Schedules:", *lines]) if lines else "There is no schedule."


def table(schedules: list[Schedule], asked: Container[str]) -> str:
    """Formats the user's schedules as text for the model; empty if there are none.

    Args:
        asked: ids of what the conversation's unanswered questions are about.
    """
    lines = [
        f"- {each.id} | {'waits for a yes: schedule' if waits_for_yes(each, asked) else _stands(each)} |"
        f" {each.timing.words()} | {order_title(each.order)}"
        for each in schedules
    ]
    return "\n".join(["Schedules of the user:", *lines]) if lines else ""


def waits_for_yes(schedule: Schedule, asked: Container[str]) -> bool:
    """Whether a schedule waits for a yes: to its first run, or to go on after a pause.

    Args:
        asked: ids of what the conversation's unanswered questions are about.
    """
    return schedule.status is Status.PROPOSED or (schedule.status is Status.PAUSED and schedule.id in asked)


def describe(schedule: Schedule) -> str:
    """Names a schedule by its title and times."""
    return f"“{inert(order_title(schedule.order))}”, {schedule.timing.words()}"


def _stands(schedule: Schedule) -> str:
    return standing(schedule, time.time())
