"""Schedules in the format of cron: minute, hour, day of the month, month and day of the week."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_EXTENSION = re.compile(r"(?i)#|(?<![a-z])LW?\b")
"""Matches what `cronsim` reads and plain cron does not, such as `5L`."""


def next_time(schedule: str, zone: ZoneInfo, moment: float) -> float:
    """Return the first moment of a schedule after `moment`, in seconds since 1970.

    A local time that a change of the clocks skips is right after the gap, and one that it repeats counts once. Raises
    ValueError with the reason if the schedule cannot be read or never comes.
    """
    if len(schedule.split()) != 5:
        raise ValueError("it needs five fields: minute, hour, day of the month, month and day of the week")
    if _EXTENSION.search(schedule):
        raise ValueError("a field has numbers, names, ranges, steps and lists")
    try:
        moments = CronSim(schedule, datetime.fromtimestamp(moment, zone))
    except CronSimError as error:
        raise ValueError(str(error).lower()) from None
    for found in moments:
        if found.timestamp() > moment:
            return found.timestamp()
    raise ValueError("it never comes")
