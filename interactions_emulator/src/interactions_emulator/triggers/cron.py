"""Schedules in the format of cron: minute, hour, day of the month, month and day of the week."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d+))?")
MAX_DAYS = 366 * 9
"""Days that are searched for the next moment: the longest gap, between leap days at the turn of a century, and more."""


@dataclass(frozen=True)
class Schedule:
    """The moments of a schedule, in a time zone."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """Days of the week; Sunday is 0."""
    either_day: bool
    """Whether one of day and weekday suffices, since neither of them is `*`."""
    zone: ZoneInfo

    def after(self, moment: float) -> float | None:
        """Return the first moment of the schedule after `moment`, in seconds since 1970; None if there is none."""
        today = datetime.fromtimestamp(moment, self.zone).date()
        for number in range(MAX_DAYS):
            day = today + timedelta(number)
            for found in self._of_day(day) if self._has(day) else ():
                if found > moment:
                    return found
        return None

    def _has(self, day: date) -> bool:
        matches = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and (any(matches) if self.either_day else all(matches))

    def _of_day(self, day: date) -> list[float]:
        local = (time(hour, minute, tzinfo=self.zone) for hour in self.hours for minute in self.minutes)
        return sorted(datetime.combine(day, one).astimezone(UTC).timestamp() for one in local)


def parse_schedule(text: str, zone: ZoneInfo) -> Schedule:
    """Parse five fields of `*`, numbers, names, ranges, steps and lists. Raises ValueError with the reason."""
    fields = text.split()
    if len(fields) != 5:
        raise ValueError("it needs five fields: minute, hour, day of the month, month and day of the week")
    minute, hour, day, month, weekday = fields
    return Schedule(
        _values("minute", minute, 0, 59),
        _values("hour", hour, 0, 23),
        _values("day of the month", day, 1, 31),
        _values("month", month, 1, 12, _MONTHS),
        frozenset(one % 7 for one in _values("day of the week", weekday, 0, 7, _DAYS)),
        not day.startswith("*") and not weekday.startswith("*"),
        zone,
    )


def _values(name: str, text: str, first: int, last: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"its {name} {part!r} cannot be read")
        begin, end, step = match.groups()
        low = first if begin is None else _number(begin, first, names)
        high = _number(end, first, names) if end else last if begin is None or step else low
        if not first <= low <= high <= last or step == "0":
            raise ValueError(f"its {name} {part!r} is not within {first} to {last}")
        found.update(range(low, high + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, first: int, names: tuple[str, ...]) -> int:
    if text.lower() in names:
        return names.index(text.lower()) + first
    return int(text) if text.isdecimal() else -1
