"""Puts function results into words. It accepts any JSON and knows nothing about the functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interactions_emulator.brain.protocol import Step
from interactions_emulator.brain.rules.parsed_turn import ParsedTurn, value_of
from interactions_emulator.corpus.words import clip, join_names

MAX_LINES = 60
MAX_ROWS = 14
MAX_COLUMNS = 10
MAX_VALUE_CHARS = 1_500
_NOTE_KEYS = ("source", "sources", "note", "notes", "attribution", "disclaimer")
_HIDDEN_KEYS = ("latitude", "longitude", "timezone", "observed", "retrieved")
"""Keys whose values are not shown, because people do not need them."""
_MAIN_TEXT_KEYS = ("answer", "text", "message", "summary", "content", "report", "reply")


def report_results(parsed: ParsedTurn) -> str:
    """The answer that reports the function results at the end of the turn."""
    reports = [_report_result(step, parsed) for step in parsed.results]
    return "\n\n".join(reports)


def _report_result(step: Step, parsed: ParsedTurn) -> str:
    name = str(step.get("name") or "the function")
    value = value_of(step.get("result"))
    error = _error(value, bool(step.get("is_error")))
    if error is not None:
        return _report_error(name, error)
    if isinstance(value, str):
        return value.strip() or f"`{name}` answered with an empty text."
    if value in (None, [], {}):
        return f"`{name}` has done its work and returned nothing."
    if isinstance(value, dict) and (
        text := next((value[k] for k in _MAIN_TEXT_KEYS if isinstance(value.get(k), str)), "")
    ):
        rest = {k: v for k, v in value.items() if v is not text and not isinstance(v, bool)}
        return "\n".join(filter(None, [text.strip(), *_notes(rest)]))
    lines = _lines(value)
    if len(lines) > MAX_LINES:
        lines = [*lines[:MAX_LINES], f"… and {len(lines) - MAX_LINES} more lines"]
    notes = _notes(value) if isinstance(value, dict) else []
    return "\n".join([*lines, "", *notes]).strip()


def _error(value: Any, is_error: bool) -> Any:
    """The error in a result, None if there is none."""
    if isinstance(value, dict):
        for key in ("error", "error_message", "errors"):
            if value.get(key):
                return {**value, **value[key]} if isinstance(value[key], dict) else {**value, "message": value[key]}
        if str(value.get("status")).lower() in ("error", "failed", "failure"):
            return value
    return value if is_error else None


def _report_error(name: str, error: Any) -> str:
    if not isinstance(error, dict):
        error = {"message": str(error)}
    message = next(
        (str(error[k]) for k in ("message", "error_message", "detail", "reason", "code") if error.get(k)), ""
    )
    text = clip(message or str(error), 600)
    if " " not in text:  # a code, not a sentence
        text = f"`{name}` could not do it: {text}"
    candidates = next((error[k] for k in ("candidates", "suggestions", "options", "choices") if error.get(k)), None)
    if isinstance(candidates, list):
        names = [_short(candidate) for candidate in candidates[:10]]
        text += "\n\nWhich one do you mean?\n" + "\n".join(f"- {name}" for name in names)
    return text  # the other fields are hints for the model, so they are not shown


def _lines(value: Any, units: Mapping[str, Any] | None = None, depth: int = 0) -> list[str]:
    pad = "  " * depth
    if isinstance(value, dict):
        return _record(value, units or {}, depth)
    if isinstance(value, list):
        rows = []
        for item in value[:MAX_ROWS]:
            if isinstance(item, dict | list) and not _flat(item):
                nested = _lines(item, units, depth + 1)
                rows += [f"{pad}- {nested[0].strip().removeprefix('- ')}", *nested[1:]] if nested else []
            else:
                rows.append(f"{pad}- {_short(item, units)}")
        return [*rows, f"{pad}- … and {len(value) - MAX_ROWS} more"] if len(value) > MAX_ROWS else rows
    return [f"{pad}{_short(value)}"]


def _record(value: dict[str, Any], units: Mapping[str, Any], depth: int) -> list[str]:
    pad = "  " * depth
    if isinstance(value.get("units"), dict):
        units = {**units, **value["units"]}
    lines = []
    for key, item in value.items():
        if (key == "units" and isinstance(item, dict)) or key.endswith("_units") or item in (None, "", [], {}):
            continue
        if key in _HIDDEN_KEYS or (depth == 0 and key in (*_NOTE_KEYS, "synthetic")):
            continue
        own = value.get(f"{key}_units")
        here = {**units, **own} if isinstance(own, dict) else units
        if isinstance(item, dict) and (rows := _rows(item)):
            item = rows
        if isinstance(item, list) and (table := _table(item, here)):
            lines += ["", *table]
        elif isinstance(item, dict) and _flat(item):
            shown = [one for key, one in item.items() if one and key not in _HIDDEN_KEYS]
            named = "name" in item and all(isinstance(one, str) for one in shown)
            lines.append(f"{pad}- {', '.join(shown) if named else f'{key_as_words(key)}: {_short(item, here)}'}")
        elif isinstance(item, dict | list) and not (isinstance(item, list) and _flat(item)):
            lines += [f"{pad}- {key_as_words(key)}:", *_lines(item, here, depth + 1)]
        else:
            lines.append(f"{pad}- {key_as_words(key)}: {_with_unit(key, item, here)}")
    return lines


def _rows(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Columns such as `{"day": [1, 2], "high": [20, 21]}` as a list of records; [] if `columns` has another form."""
    lengths = {len(column) if isinstance(column, list) else -1 for column in columns.values()}
    if len(columns) < 2 or len(lengths) != 1 or (length := lengths.pop()) < 1:
        return []
    return [{key: column[row] for key, column in columns.items()} for row in range(length)]


def _table(records: list[Any], units: Mapping[str, Any]) -> list[str]:
    """Flat records with equal keys as a Markdown table; [] if the records have another form or too many keys."""
    if not records or not all(isinstance(record, dict) and _flat(record) for record in records):
        return []
    keys = [key for key in records[0] if key not in _HIDDEN_KEYS]
    if not 2 <= len(keys) <= MAX_COLUMNS or any(record.keys() != records[0].keys() for record in records):
        return []
    rows = [[_cell(key, record, units) for key in keys] for record in records[:MAX_ROWS]]
    head, *body = (f"| {' | '.join(cells)} |" for cells in [[key_as_words(key) for key in keys], *rows])
    more = [f"… and {len(records) - MAX_ROWS} more"] if len(records) > MAX_ROWS else []
    return [head, "|" + "---|" * len(keys), *body, *more]


def _cell(key: str, record: Mapping[str, Any], units: Mapping[str, Any]) -> str:
    """The text of a table cell. A time has no date if the record has the same date in `date`."""
    text = _with_unit(key, record[key], units)
    return text.removeprefix(f"{record.get('date')}T").replace("|", "\\|")


def _flat(value: Any) -> bool:
    """Whether a value fits on one line."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return all(not isinstance(item, dict | list) for item in items) and len(str(value)) < 300


def _short(value: Any, units: Mapping[str, Any] | None = None) -> str:
    if isinstance(value, dict):
        pairs = (
            f"{key_as_words(k)} {_with_unit(k, v, units or {})}"
            for k, v in value.items()
            if v not in (None, "", [], {}) and k not in (*_HIDDEN_KEYS, "time")
        )
        return ", ".join(pairs)
    if isinstance(value, list):
        return join_names([_short(item) for item in value[:MAX_ROWS]])
    if isinstance(value, bool):
        return "yes" if value else "no"
    return clip(str(value), MAX_VALUE_CHARS)


def _with_unit(key: str, value: Any, units: Mapping[str, Any]) -> str:
    unit = units.get(key)
    if unit is None and isinstance(value, int | float) and not isinstance(value, bool):
        parts = key.casefold().split("_")
        near = (u for k, u in units.items() if parts[0] in k.split("_") or k.split("_")[0] in parts)
        unit = next(near, units.get("temperature") if {"high", "low", "feels"} & set(parts) else None)
    text = _short(value)
    if not isinstance(unit, str) or not unit or isinstance(value, str | bool):
        return text
    return f"{text}{'' if unit.startswith(('°', '%')) else ' '}{unit}"


def _notes(value: dict[str, Any]) -> list[str]:
    lines = []
    synthetic = value.get("synthetic")
    if synthetic:
        lines.append(
            "These values are synthetic" + (f": {synthetic}" if isinstance(synthetic, str) else ", not measured") + "."
        )
    for key in _NOTE_KEYS:
        if value.get(key):
            lines.append(f"{key_as_words(key).capitalize()}: {_short(value[key])}")
    return lines


def key_as_words(key: str) -> str:
    """A key as words: `wind_speed_10m` -> `wind speed 10m`."""
    return key.replace("_", " ").strip()
