"""The researcher's tools for schedules. `approve`, `cancel_research` and `list_research` take schedules too."""

from __future__ import annotations

import time

from google.adk.tools import ToolContext

from tools.errors import BadArgument
from tools.research.factory import research
from tools.research.schedules.ceiling import MAX_CEILING_USD
from tools.research.schedules.schedule import Schedule, Status, UnknownSchedule
from tools.research.schedules.timing import new_timing
from tools.research.service import Research
from tools.researcher import schedule_answers, schedule_texts
from tools.researcher.presenter import Presentation, present
from tools.researcher.tool_arguments import checked_texts, settings_of
from tools.researcher.tool_errors import refusing_tool
from tools.researcher.tool_results import Result, present_schedule


@refusing_tool
async def schedule_research(
    title: str,
    brief: str,
    max_usd_per_month: float,
    tool_context: ToolContext,
    every: str = "",
    cron: str = "",
    timezone: str = "",
    use_max: bool = False,
) -> Result:
    """Proposes to repeat research at certain times; each finished report is compared with the one before.

    It shows the user the times, the price and the ceiling; the user's yes comes later. Ask for the ceiling if the user
    has named none. To change one that waits for a yes, cancel it and call this again.

    Args:
        title: A few words by which the user knows it again, in the user's language.
        brief: The whole task, as in start_research. Do not put the times into it.
        max_usd_per_month: What its runs may cost in a calendar month, in US dollars, as the user said.
        every: When: "day", "weekday", "week", "month", "quarter", or days in English, and a time: "monday 09:00".
        cron: Instead of `every`: a cron expression of five fields.
        timezone: Name of the user's time zone if the conversation tells it, such as "Europe/Berlin"; else empty.
        use_max: True only if the user asks for Deep Research Max.
    """
    service, settings = research(), settings_of(tool_context)
    settings.need_storage()
    title, brief = checked_texts(title, brief)
    if isinstance(max_usd_per_month, bool) or not isinstance(max_usd_per_month, int | float):
        raise BadArgument("`max_usd_per_month` is not a number: ask the user for a ceiling in US dollars")
    try:
        max_usd = float(max_usd_per_month)
    except OverflowError:
        raise BadArgument(f"`max_usd_per_month` is too large: name at most {MAX_CEILING_USD:,.0f}") from None
    for name, value in (("every", every), ("cron", cron), ("timezone", timezone)):
        if not isinstance(value, str):
            raise BadArgument(f"`{name}` is not a text")
    if use_max and not settings.max_agent:
        raise BadArgument("there is no Deep Research Max here: offer a standard run")
    session = tool_context.session
    timing = new_timing(every, cron, zone=timezone, now=time.time())
    order = settings.order(brief, title=title, user=session.user_id, session=session.id, use_max=use_max is True)
    schedule, _ = await service.schedules.add(order, timing, max_usd, settings.limits, propose=True)
    present_schedule(tool_context, schedule)
    waits = schedule.status is Status.PROPOSED
    next_step = "wait until the user says yes or no" if waits else "the user has this schedule already: it was shown"
    return {"schedule": schedule.id, "status": schedule.status.value, "next": next_step}


@refusing_tool
async def pause_schedule(schedule_id: str, tool_context: ToolContext) -> Result:
    """Pauses a schedule: it starts no runs until the user resumes it. A run that has started goes on.

    Args:
        schedule_id: Id of the schedule.
    """
    service = research()
    schedule = await _own(service, tool_context, schedule_id)
    if schedule.status is Status.PROPOSED:
        present_schedule(tool_context, schedule)
        return {"schedule": schedule.id, "next": "it has not started: its question was shown again"}
    schedule = await service.schedules.pause(schedule)
    present(tool_context, Presentation(texts=(schedule_texts.paused_text(schedule),)))
    return {"schedule": schedule.id, "status": schedule.status.value, "next": "the user was told"}


@refusing_tool
async def resume_schedule(schedule_id: str, tool_context: ToolContext) -> Result:
    """Asks the user whether a paused schedule is to start runs again; the user's yes comes later.

    Args:
        schedule_id: Id of the schedule.
    """
    schedule = await _own(research(), tool_context, schedule_id)
    present_schedule(tool_context, schedule, resumes=True)
    next_step = (
        "the user was told that it runs" if schedule.status is Status.ACTIVE else "wait for the user's yes or no"
    )
    return {"schedule": schedule.id, "status": schedule.status.value, "next": next_step}


async def _own(service: Research, context: ToolContext, schedule_id: str) -> Schedule:
    """Returns the user's schedule with that id.

    Raises:
        UnknownSchedule: the user has no such schedule.
    """
    schedule = await schedule_answers.find(service, context.session.user_id, schedule_id)
    if schedule is None:
        raise UnknownSchedule(f"{schedule_id[:40]!r} is no id of a schedule, such as sched_…")
    return schedule
