"""Converts jobs and spending to rows of the ledger's tables and back, without a database."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from types import NoneType
from typing import Any, TypeVar

from sqlalchemy import Column, Float, Integer

from tools.errors import DeskError
from tools.interactions.server_name import normalized_server
from tools.research.job import FollowUpAnswer, Job, Kind, Plan, ReportChanges
from tools.research.job_states import State
from tools.research.order import Order
from tools.research.spending import Spending
from tools.research.tables import JOBS, SafeText
from tools.text.unsafe_characters import sanitize

P = TypeVar("P", Plan, FollowUpAnswer, ReportChanges)


class UnreadableJob(DeskError):
    """A ledger row cannot be read as a job. The message says which row, why and what to do, but not its contents."""

    def __init__(self, job_id: object, wrong: str) -> None:
        self.job_id = sanitize(str(job_id))
        self.wrong = sanitize(wrong)
        super().__init__(
            f"{self.job_id} cannot be read from the ledger ({self.wrong}): correct its row in research_jobs, delete the"
            " row, or update the program if a newer one wrote it"
        )


def row_of(job: Job) -> dict[str, Any]:
    """Returns a new job's row: a value for each field of `Order` and `Job`, and the order's key."""
    values = {**vars(job.order), **vars(job), "key": job.order.key}
    del values["order"]
    return {name: stored(name, value) for name, value in values.items()}


def stored(name: str, value: Any) -> Any:
    """Returns the value of a job's field as its column has it: JSON, unless the column has the value itself."""
    return _STORED[name](value) if name in _STORED else value


def _json_of_part(part: Plan | ReportChanges | None) -> str | None:
    return json.dumps(asdict(part)) if part else None


_STORED: Mapping[str, Callable[[Any], Any]] = {
    "options": lambda options: json.dumps(dict(options), sort_keys=True),  # equal options give the same text
    "inputs": lambda contents: json.dumps([dict(content) for content in contents]),
    "notify": lambda names: json.dumps(list(names)),
    "usage": lambda usage: json.dumps(dict(usage)),
    "plan": _json_of_part,
    "changes": _json_of_part,
    "follow_ups": lambda answers: json.dumps([asdict(answer) for answer in answers]),
    "may_run": int,
}
"""Functions that convert a field's value to its column's value, for fields where the two differ."""


def spending_of_row(values: Mapping[Any, Any]) -> Spending:
    """Reads the entry in a row of desk_spending.

    Raises:
        ValueError: the row is not a valid entry.
    """
    time, estimate = values["time"], values["estimate"]
    for name, number, maximum in (("time", time, MAX_TIME_S), ("estimate", estimate, MAX_COST_USD)):
        if not isinstance(number, float | int) or not 0 <= number <= maximum:
            raise ValueError(f"`{name}` is not a valid number")
    texts = {name: str(values[name]) for name in ("user", "job", "agent", "server", "schedule")}
    usage = _data(values, "usage", dict)
    return Spending(time=time, estimate=estimate, kind=Kind(values["kind"]), usage=usage, **texts)


def job_of(values: Mapping[Any, Any]) -> Job:
    """Reads the job in a row.

    Raises:
        UnreadableJob: the row is not a valid job: a person or a newer program wrote it.
    """
    try:
        return _job(values)
    except (ValueError, TypeError) as error:
        raise UnreadableJob(values["id"], str(error)) from None


def _job(values: Mapping[Any, Any]) -> Job:
    for name, (types, words) in _TYPES.items():
        if not isinstance(values[name], types):
            raise ValueError(f"`{name}` is not {words}")
    for name, maximum in _MAX_VALUES.items():
        if (number := values[name]) is not None and not 0 <= number <= maximum:  # also rejects NaN
            raise ValueError(f"`{name}` is {number}, out of bounds")
    if (state := values["state"]) not in _STATES:
        raise ValueError(f"`state` is {state[:40]!r}, which is not known here")
    read = {name: _READ[name](values) if name in _READ else values[name] for name in _TYPES}
    order = Order(**{name: read[name] for name in _ORDER_FIELDS})
    return Job(order=order, **{name: read[name] for name in _JOB_FIELDS})


_ORDER_FIELDS = tuple(field.name for field in fields(Order))
_JOB_FIELDS = tuple(field.name for field in fields(Job) if field.name != "order")
_READ: Mapping[str, Callable[[Mapping[Any, Any]], Any]] = {
    "options": lambda values: _data(values, "options", dict),
    "inputs": lambda values: tuple(_records(values, "inputs")),
    "notify": lambda values: tuple(map(str, _data(values, "notify", list))),
    "server": lambda values: normalized_server(values["server"]),
    "state": lambda values: State(values["state"]),
    "usage": lambda values: _data(values, "usage", dict),
    "plan": lambda values: _part(Plan, "plan", _data(values, "plan", dict)) if values["plan"] else None,
    "changes": lambda values: (
        _part(ReportChanges, "changes", _data(values, "changes", dict)) if values["changes"] else None
    ),
    "follow_ups": lambda values: tuple(
        _part(FollowUpAnswer, "follow_ups", answer) for answer in _records(values, "follow_ups")
    ),
    "may_run": lambda values: bool(values["may_run"]),
}
"""Functions that read a field's value from a row, for fields whose column has another value."""


def _types_of(column: Column[Any]) -> tuple[tuple[type, ...], str]:
    """Returns the types of a column's values, and the name of the type in errors."""
    kinds: Sequence[tuple[type, tuple[type, ...], str]] = (
        (SafeText, (str,), "a text"),
        (Integer, (int,), "a whole number"),
        (Float, (float, int), "a number"),
    )
    types, words = next((types, words) for kind, types, words in kinds if isinstance(column.type, kind))
    return (*types, NoneType) if column.nullable else types, words


_TYPES = {name: _types_of(JOBS.columns[name]) for name in (*_ORDER_FIELDS, *_JOB_FIELDS)}
"""The types of each column's values. SQLite itself stores values of any type."""
_STATES = frozenset(map(str, State))
MAX_TIME_S, MAX_COST_USD = 1e11, 1e6
"""Highest valid time (seconds since the epoch, the year 5138) and highest valid price (USD)."""
_MAX_VALUES = {**dict.fromkeys(("created", "updated", "finished", "started", "due"), MAX_TIME_S), "cost": MAX_COST_USD}
_FIELDS: Mapping[type, Mapping[str, type]] = {
    Plan: {"text": str, "interaction_id": str, "reply": str, "approved": bool, "earlier": list},
    FollowUpAnswer: {"question": str, "text": str, "interaction_id": str, "earlier": list, "session": str},
    ReportChanges: {
        **dict.fromkeys(("earlier", "text", "words"), str),
        **dict.fromkeys(("changed", "new", "gone", "new_sources", "gone_sources"), int),
        "interactions": list,
    },
}


def _data(values: Mapping[Any, Any], name: str, kind: type) -> Any:
    try:
        found = json.loads(values[name])
    except (ValueError, RecursionError):
        raise ValueError(f"`{name}` is not JSON") from None
    if not isinstance(found, kind):
        raise ValueError(f"`{name}` is not a JSON {'object' if kind is dict else 'list'}")
    return found


def _records(values: Mapping[Any, Any], name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _data(values, name, list)
    if not all(isinstance(each, dict) for each in found):
        raise ValueError(f"`{name}` is not a JSON list of objects")
    return found


def _part(kind: type[P], name: str, values: dict[str, Any]) -> P:
    types = _FIELDS[kind]
    if wrong := [key for key, value in values.items() if not isinstance(value, types.get(key, ()))]:
        raise ValueError(f"`{name}` has an unknown or wrong `{wrong[0]:.40}`")
    lists = {key: tuple(values.get(key, ())) for key, kind_ in types.items() if kind_ is list}
    for key, ids in lists.items():
        if not all(isinstance(id_, str) for id_ in ids):
            raise ValueError(f"`{name}` has an `{key}` that is no list of texts")
    return kind(**{**values, **lists})
