"""Reads dates, in digits and in words of several languages. Pure."""

from __future__ import annotations

import re

MONTHS = {
    name: f"{number:02}"
    for number, names in enumerate(
        (
            "january january januar jan janvier enero",
            "february februar feb février febrero",
            "march märz mar mär mars marzo",
            "april apr avril abril",
            "may mai mayo",
            "june juni jun juin junio",
            "july juli jul juillet julio",
            "august aug août agosto",
            "september sept sep septembre septiembre",
            "october oktober oct okt octobre octubre",
            "november nov novembre noviembre",
            "december dezember dec dez décembre diciembre",
        ),
        1,
    )
    for name in names.split()
}
"""The English, German, French and Spanish names of months."""
_MONTH = rf"(?<![^\W\d_])(?P<month>{'|'.join(sorted(MONTHS, key=len, reverse=True))})(?![^\W\d_])\.?"
_YEAR = r"(?P<year>\d{4})(?!\d)"
_WRITTEN_DATES = (
    rf"(?<![\d.,])(?P<day>\d{{1,2}})(?:\.|st|nd|rd|th|er)?(?: of| de)? {_MONTH}(?:,? (?:de |del )?{_YEAR})?",
    rf"{_MONTH} (?P<day>\d{{1,2}})(?![\d.]\d|\d)(?:st|nd|rd|th)?(?:,? {_YEAR})?",
    rf"{_MONTH},?(?: of| de)?(?: {_YEAR})?",
    r"(?P<year>\d{4}) ?年 ?(?P<month>\d{1,2}) ?月(?: ?(?P<day>\d{1,2}) ?日)?",
)
WRITTEN_DATE = re.compile("|".join(form.replace(">", f"{n}>") for n, form in enumerate(_WRITTEN_DATES)))
"""Matches a date in words, in lower case: 3 May 2016, May 3, May 2016, 2016年5月3日."""


def fields_of_date(date: re.Match[str]) -> tuple[str, str, str]:
    """Returns year, month and day of a date in words, as digits; empty if they are not named."""
    named: dict[str, str] = {}
    for name, value in date.groupdict().items():
        if value:
            named[name[:-1]] = value
    month = named["month"]
    return named.get("year", ""), MONTHS.get(month, month), named.get("day", "")


def joined_date(year: str, month: str, day: str) -> str:
    return "-".join(filter(None, (year or "-", month.zfill(2), day and day.zfill(2))))


def dates_of(written: str) -> frozenset[str]:
    """Reads 2016-05-03 and 03.05.2016; 03/05/2016 is 3 May or 5 March."""
    first, second, third = re.findall(r"\d+", written)
    if len(first) == 4:
        return frozenset({_date(first, second, third)})
    either = {_date(third, second, first)}
    return frozenset(either | {_date(third, first, second)} if "/" in written else either)


def _date(year: str, month: str, day: str) -> str:
    return f"{year}-{month.zfill(2)}-{day.zfill(2)}"
