"""When schedules are due: words, cron expressions, time zones, changes of the clocks, and ends of months."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import pytest

from tools.research.schedules.timing import BadTiming, Timing, new_timing

BERLIN = "Europe/Berlin"


def at(text: str) -> float:
    """A moment in seconds since the epoch; without an offset, in UTC."""
    return datetime.fromisoformat(text if "+" in text[10:] else f"{text}+00:00").timestamp()


NOW = at("2026-11-30T12:00")


@pytest.mark.parametrize(
    ("every", "clock", "cron"),
    [
        ("day", "", "0 8 * * *"),
        ("weekday", "07:30", "30 7 * * 1-5"),
        ("Week", "", "0 8 * * 1"),
        ("month", "23:05", "5 23 1 * *"),
        ("quarter", "", "0 8 1 1,4,7,10 *"),
        ("monday", "", "0 8 * * 1"),
        ("monday 09:00", "", "0 9 * * 1"),
        ("Tuesday and fri at 7:05", "", "5 7 * * 2,5"),
        ("sundays, mon", "", "0 8 * * 0,1"),
    ],
)
def test_words_for_usual_times_are_read(every: str, clock: str, cron: str) -> None:
    assert new_timing(every, at=clock, zone=BERLIN, now=NOW) == Timing(cron, BERLIN)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "say when"),
        ({"every": "day", "cron": "0 8 * * 1"}, "not both"),
        ({"every": "munday"}, "`munday` is no day, did you mean `sunday`?"),
        ({"every": "day", "at": "25:00"}, "`25:00` is not a time of day"),
        ({"every": "day 9:00", "at": "8:00"}, "given twice"),
        ({"cron": "0 8 * * 1", "at": "8:00"}, "leave the other time out"),
        ({"every": "a" + " " * 400_000 + "b"}, "more than 100 characters"),
        ({"every": "monday", "at": " " * 400_000}, "more than 100 characters"),
        ({"every": "monday", "zone": " " * 400_000 + "x"}, "more than 100 characters"),
        ({"cron": "0 0 30 2 *"}, "`0 0 30 2 *` is never due"),
        ({"cron": "0 0 31 2,4,6 *"}, "never due"),
        ({"cron": "*/2 * * * *"}, "more than once an hour"),
        ({"cron": "0,30 8 * * *"}, "more than once an hour"),
        ({"cron": "0 8 * 13 *"}, "cannot be read: Bad month"),
        ({"cron": "0 8 99 * *"}, "cannot be read: Bad day-of-month"),
        ({"cron": "@daily"}, "five fields"),
        ({"cron": "0 0 8 * * 1"}, "five fields"),
        ({"cron": f"0 8 * * {','.join(['1'] * 99)}"}, "five fields"),
        ({"every": "day", "zone": "Europe/Berln"}, "did you mean `Europe/Berlin`?"),
        ({"every": "day", "zone": "Europe"}, "there is no time zone `Europe`"),
        ({"every": "day", "zone": "../../etc/passwd"}, "there is no time zone"),
        ({"every": "day", "zone": "localtime"}, "there is no time zone"),  # another one on each machine
        ({"every": "day", "zone": "right/UTC"}, "there is no time zone"),  # counts leap seconds
    ],
)
def test_a_time_that_cannot_be_used_is_named_in_a_sentence(values: dict[str, str], says: str) -> None:
    with pytest.raises(BadTiming) as refused:
        new_timing(**values, now=NOW)
    assert says in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("cron", "after", "due"),
    [
        # Clocks go forward at 02:00 on 29 March and back at 03:00 on 25 October.
        ("30 2 * * *", "2026-03-28T12:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        ("30 2 * * *", "2026-10-24T12:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        ("45 2 * * *", "2026-10-25T02:30+01:00", ["2026-10-26T02:45+01:00"]),
        ("30 2 * * 0", "2026-03-28T12:00", ["2026-03-29T03:00+02:00", "2026-04-05T02:30+02:00"]),
        ("0 * * * *", "2026-03-29T01:00+01:00", ["2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"]),
        ("0 * * * *", "2026-10-25T01:00+02:00", ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]),
        ("0 8 31 * *", "2026-01-31T12:00", ["2026-03-31T08:00+02:00", "2026-05-31T08:00+02:00"]),
        ("0 8 L * *", "2026-01-31T12:00", ["2026-02-28T08:00+01:00", "2026-03-31T08:00+02:00"]),
        ("0 8 29 2 *", "2026-01-01T00:00", ["2028-02-29T08:00+01:00", "2032-02-29T08:00+01:00"]),
        ("0 8 1 * *", "2026-12-01T08:00+01:00", ["2027-01-01T08:00+01:00"]),
    ],
)
def test_times_are_due_once_around_changes_of_the_clocks_and_ends_of_months(
    cron: str, after: str, due: list[str]
) -> None:
    assert Timing(cron, BERLIN).upcoming(at(after), len(due)) == [at(text) for text in due]


@pytest.mark.parametrize("zone", [BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
@pytest.mark.parametrize("cron", ["30 2 * * *", "15 * * * *", "45 1,2,3 * * 0", "0 0 1 * *"])
def test_a_year_of_due_times_is_in_order_and_each_is_the_next_after_the_one_before(zone: str, cron: str) -> None:
    timing, moment = Timing(cron, zone), at("2026-01-01T00:00")
    times = timing.upcoming(moment, 400)
    assert times == sorted(set(times))
    assert times[:60] == [timing.after(earlier) for earlier in (moment, *times[:59])]
    changes = [n for n, (a, b) in enumerate(pairwise(times)) if b - a not in (3600, 86400)]
    for number in changes[:20]:
        assert timing.after(times[number] + 1) == times[number + 1]


def test_a_month_begins_and_ends_at_midnight_in_the_time_zone() -> None:
    timing = Timing("0 8 * * 1", BERLIN)
    december = (at("2026-12-01T00:00+01:00"), at("2027-01-01T00:00+01:00"))
    assert timing.month(at("2026-11-30T23:30")) == timing.month(at("2026-12-31T22:59")) == december
    assert timing.month(at("2026-10-25T12:00")) == (at("2026-10-01T00:00+02:00"), at("2026-11-01T00:00+01:00"))
    assert timing.count(*december) == 4
