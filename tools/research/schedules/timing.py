"""When a schedule is due: a cron expression in a time zone, and words for the usual ones. Pure.

`cronsim` reads the expressions as Debian's cron does. When clocks go forward, a time in the gap is due right after the
gap; when they go back, a time that comes twice is due once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from tzlocal import get_localzone_name

from tools.errors import DeskError
from tools.text.did_you_mean import did_you_mean

DEFAULT_AT = "08:00"
"""The time of day if none is named."""
MAX_CRON_CHARS = 100
"""Maximum characters of a cron expression, and of each other text that says when: patterns take quadratic time."""
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_DATES = {
    "day": "* * *",
    "weekday": "* * 1-5",
    "week": "* * 1",
    "month": "1 * *",
    "quarter": "1 1,4,7,10 *",
}
"""Day of the month, month and day of the week for the words of `--every`."""
_EVERY = re.compile(r"(.+?)(?:\s+(?:at\s+)?(\d{1,2}:\d{2}))?")
_AT = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")

_UNPORTABLE_ZONES = re.compile(r"localtime|posixrules|Factory|(?:right|posix)/.*")
"""Names of time zones that other machines do not have or interpret differently: `right/UTC` counts leap seconds."""


class BadTiming(DeskError):
    """A schedule's time cannot be used. The message says why, and what to write."""


@dataclass(frozen=True)
class Timing:
    """The times of a schedule. Moments are seconds since the epoch."""

    cron: str
    """A cron expression of five fields."""
    zone: str
    """Name of a time zone, such as "Europe/Berlin"."""

    def after(self, moment: float) -> float:
        """Returns the first due time after a moment.

        Raises:
            BadTiming: the expression or the time zone cannot be read, or there is no such time.
        """
        return next(self._after(moment))

    def upcoming(self, moment: float, count: int) -> list[float]:
        """Returns the next due times after a moment."""
        return [*islice(self._after(moment), count)]

    def count(self, begin: float, end: float) -> int:
        """Returns how many due times there are from `begin` on and before `end`."""
        return sum(1 for _ in takewhile(lambda due: due < end, self._after(begin - 1)))

    def month(self, moment: float) -> tuple[float, float]:
        """Returns the beginning of a moment's calendar month in the time zone, and that of the next month."""
        local = datetime.fromtimestamp(moment, _zone(self.zone))
        first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
        year, month = divmod(local.year * 12 + local.month, 12)
        return first.timestamp(), first.replace(year=year, month=month + 1).timestamp()

    def words(self) -> str:
        """Describes the times: "At 08:00 on Monday (Europe/Berlin)"."""
        return f"{_cron(self.cron, datetime.fromtimestamp(0, _zone(self.zone))).explain()} ({self.zone})"

    def show(self, moment: float) -> str:
        """Formats a moment in the time zone: "Mon 2026-12-07 08:00 CET"."""
        return datetime.fromtimestamp(moment, _zone(self.zone)).strftime("%a %Y-%m-%d %H:%M %Z")

    def show_month(self, moment: float) -> str:
        """Formats the month of a moment: "December 2026"."""
        return datetime.fromtimestamp(moment, _zone(self.zone)).strftime("%B %Y")

    def _after(self, moment: float) -> Iterator[float]:
        last = moment
        for found in _cron(self.cron, datetime.fromtimestamp(moment, _zone(self.zone))):
            if found.timestamp() > last:  # around a change of the clocks, a time may come twice or too early
                last = found.timestamp()
                yield last
        raise BadTiming(_never(self.cron))


def new_timing(every: str = "", cron: str = "", at: str = "", zone: str = "", now: float = 0.0) -> Timing:
    """Reads when a schedule is to be due.

    Args:
        every: "day", "weekday", "week", "month", "quarter", or names of days, and perhaps a time: "monday 09:00".
        cron: a cron expression, instead of `every`.
        at: a time of day for `every`, such as "08:00".
        zone: name of a time zone; empty: that of this machine.
        now: seconds since the epoch; the times after it are checked.

    Raises:
        BadTiming: one of them cannot be used, the times are less than an hour apart, or there is no such time.
    """
    if max(map(len, (every, at, zone))) > MAX_CRON_CHARS:
        raise BadTiming(f"the time has more than {MAX_CRON_CHARS} characters: write it shorter")
    if bool(every.strip()) == bool(cron.strip()):
        raise BadTiming(
            "say when: either with `every`, such as `monday 09:00`, or with a cron expression in `cron`, and not both"
        )
    if cron and at:
        raise BadTiming("a cron expression has the time of day in it: leave the other time out")
    found = Timing(" ".join(cron.split()) or _cron_of(every, at), zone.strip() or machine_zone())
    if _UNPORTABLE_ZONES.fullmatch(found.zone):
        raise BadTiming(_no_zone(found.zone))
    start = datetime.fromtimestamp(now, _zone(found.zone))
    if len(_cron(found.cron, start).minutes) > 1:
        raise BadTiming(f"`{found.cron}` is due more than once an hour: name one minute, such as `0 8 * * 1`")
    found.after(now)
    return found


def machine_zone() -> str:
    """Returns the name of this machine's time zone; "UTC" if it has none."""
    try:
        return get_localzone_name() or "UTC"
    except (LookupError, ValueError, OSError):  # `TZ` or a file of the system is wrong
        return "UTC"


def _cron_of(every: str, at: str) -> str:
    said = _EVERY.fullmatch(every.strip().lower())
    words, time = said.groups() if said else ("", None)
    if time and at:
        raise BadTiming(f"the time of day is given twice, as {time} and {at}: leave one out")
    clock = _AT.fullmatch((time or at or DEFAULT_AT).strip())
    if clock is None:
        raise BadTiming(f"`{time or at}` is not a time of day: write it like {DEFAULT_AT}")
    hour, minute = map(int, clock.groups())
    return f"{minute} {hour} {_DATES.get(words) or _weekdays(words)}"


def _weekdays(words: str) -> str:
    found = list[int]()
    for word in re.split(r"\s*,\s*|\s+and\s+", words):
        number = next((n for n, day in enumerate(_DAYS) if word in (day, f"{day}s", day[:3])), None)
        if number is None:
            known = [*_DATES, *_DAYS]
            meant = did_you_mean(word[:40], known, cutoff=0.7)
            raise BadTiming(
                f"`{word[:40]}` is no day{meant}: write {', '.join(_DATES)}, or days such as"
                " `monday` or `tuesday,friday`; a cron expression can say all other times"
            )
        found.append(number)
    return f"* * {','.join(map(str, sorted({*found})))}"


def _cron(text: str, start: datetime) -> CronSim:
    if len(text) > MAX_CRON_CHARS or len(text.split()) != 5:
        raise BadTiming(
            f"`{text[:MAX_CRON_CHARS]}` is not a cron expression: it has five fields, for minute, hour, day of the"
            " month, month and day of the week, such as `0 8 * * 1`"
        )
    try:
        return CronSim(text, start)
    except CronSimError as error:
        minute, hour, day, _, weekday = text.split()
        if _reads(f"{minute} {hour} {day} * {weekday}", start) and "day-of-month" in str(error):
            raise BadTiming(_never(text)) from None
        raise BadTiming(f"the cron expression `{text}` cannot be read: {error}") from None


def _reads(cron: str, start: datetime) -> bool:
    try:
        CronSim(cron, start)
    except CronSimError:
        return False
    return True


def _never(cron: str) -> str:
    return f"the cron expression `{cron}` is never due: there is no such day"


@cache
def _zone_names() -> list[str]:
    names = available_timezones()  # opens hundreds of files
    return sorted(name for name in names if not _UNPORTABLE_ZONES.fullmatch(name))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # OSError: the name of a folder
        raise BadTiming(_no_zone(name)) from None


def _no_zone(name: str) -> str:
    near = did_you_mean(name[:60], _zone_names())
    example = ": write a name such as Europe/Berlin, America/New_York or UTC"
    return f"there is no time zone `{name[:60]}`{near or example}"
