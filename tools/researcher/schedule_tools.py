"""The researcher's tool that makes schedules. `approve`, `cancel_research` and `list_research` take schedules too."""

from __future__ import annotations

import time

from google.adk.tools import ToolContext

from tools.errors import BadArgument
from tools.research.factory import research
from tools.research.schedules.schedule import MAX_CEILING_USD, Status
from tools.research.schedules.timing import new_timing
from tools.researcher.tools import Result, checked_texts, present_schedule, refusing_tool, settings_of


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
