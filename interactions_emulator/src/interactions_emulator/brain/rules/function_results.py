"""Puts function results into words. It accepts any JSON and knows nothing about the functions."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from interactions_emulator.brain.conversation import value_of
from interactions_emulator.brain.protocol import Step
from interactions_emulator.brain.rules.tool_selection import WHICH_ONE
from interactions_emulator.corpus.values import days_in
from interactions_emulator.corpus.words import clip

MAX_ROWS, MAX_COLUMNS = 14, 6
"""Maximum rows of a table, and columns in addition to the ones that the message names."""
_TEXT_KEYS = ("answer", "text", "message", "summary", "content", "report")
_HIDDEN = ("source", "latitude", "longitude", "timezone", "observed", "retrieved", "time", "units", "synthetic")
_SAME_UNIT = {"high": "temperature", "low": "temperature", "feels_like": "temperature", "wind_max": "wind_speed"}


def report_result(step: Step, asked: str = "") -> str:
    """The text that reports one function result; of records with dates, only those for the days that `asked` names."""
    name, value = str(step.get("name") or "the function"), value_of(step.get("result"))
    if isinstance(value, dict) and (value.get("error") or step.get("is_error")):
        return _error(value.get("error") or value)
    if value in ("", None, [], {}):
        return f"`{name}` has done its work and returned nothing."
    if not isinstance(value, dict):
        return "\n".join(_lines("", value, {}, asked)) if isinstance(value, list) else str(value).strip()
    text = next((str(value[key]) for key in _TEXT_KEYS if isinstance(value.get(key), str)), "")
    named = [one for key, one in value.items() if key.endswith("units") and isinstance(one, dict)]
    units = {key: str(unit) for one in named for key, unit in one.items()}
    other_days = any(_on_days(one, asked) for one in value.values() if isinstance(one, list))
    shown = {key: one for key, one in value.items() if key != "current" or not other_days}
    lines = [text] if text else [line for key, one in shown.items() for line in _lines(key, one, units, asked)]
    source = re.sub(r"\s*\(.*\)$", "", str(value.get("source") or ""))
    invented = ["", f"These values are synthetic, not measured{source and f' (source: {source})'}."]
    notes = invented if value.get("synthetic") else [f"Source: {source}"] * bool(source)
    return "\n".join([*lines, *notes]).strip()


def _on_days(records: Sequence[Any], asked: str) -> list[Any]:
    """The records whose `date` is a day that the message names; [] if it names none. The first record is today's."""
    try:
        dates = [date.fromisoformat(str(one["date"])) for one in records]
    except (KeyError, TypeError, ValueError):
        return []
    plain = asked.casefold()
    if (days := days_in(plain)) in (2, 3):  # tomorrow, or the day after
        return list(records[days - 1 : days])
    weekend = (5, 6) if re.search("weekend|wochenende", plain) else ()
    named = [day for day in dates if f"{day:%A}".casefold() in plain or day.weekday() in weekend]
    return [one for one, day in zip(records, dates, strict=True) if day in named]


def _error(error: Any) -> str:
    """The message of an error and its candidates; its other fields are hints for the model."""
    details = error if isinstance(error, dict) else {"message": str(error)}
    text = clip(str(details.get("message") or details.get("code") or details), 600)
    candidates = [f"- {_short(one, {})}" for one in (details.get("candidates") or [])[:10]]
    return "\n".join([text, "", WHICH_ONE, *candidates]) if candidates else text


def _lines(key: str, value: Any, units: Mapping[str, str], asked: str) -> list[str]:
    if key in _HIDDEN or key.endswith("_units") or value in (None, "", [], {}):
        return []
    if isinstance(value, list):
        return _table(value, units, asked) or [f"- {_short(one, units)}" for one in value[:MAX_ROWS]]
    if isinstance(value, dict) and "name" in value:
        shown = [one for name, one in value.items() if isinstance(one, str) and one and name not in _HIDDEN]
        return [f"**{', '.join(shown)}**", ""]
    name = key.replace("_", " ")
    return [f"{name[:1].upper()}{name[1:]}: {_with_unit(key, value, units)}.", ""]


def _table(records: list[Any], units: Mapping[str, str], asked: str) -> list[str]:
    """Records with equal keys as a Markdown table; [] if the records have another form."""
    if not all(isinstance(one, dict) and one.keys() == records[0].keys() for one in records):
        return []
    keys = [key for key in records[0] if key not in _HIDDEN]
    keys = [key for place, key in enumerate(keys) if place < MAX_COLUMNS or key.split("_")[0] in asked.casefold()]
    shown = (_on_days(records, asked) or records)[:MAX_ROWS]
    rows = [[_with_unit(key, one[key], units).replace("|", "\\|") for key in keys] for one in shown]
    head, *body = (f"| {' | '.join(cells)} |" for cells in [[key.replace("_", " ") for key in keys], *rows])
    return [head, "|" + "---|" * len(keys), *body]


def _short(value: Any, units: Mapping[str, str]) -> str:
    if isinstance(value, dict):
        shown = {key: one for key, one in value.items() if one not in (None, "", [], {}) and key not in _HIDDEN}
        return ", ".join(f"{key.replace('_', ' ')} {_with_unit(key, one, units)}" for key, one in shown.items())
    return ("yes" if value else "no") if isinstance(value, bool) else clip(str(value), 1_500)


def _with_unit(key: str, value: Any, units: Mapping[str, str]) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    unit = units.get(_SAME_UNIT.get(key, key), units.get(key, "")) if is_number else ""
    return f"{_short(value, units)}{'' if unit[:1] in ('', '°', '%') else ' '}{unit}"
