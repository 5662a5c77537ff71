"""Converts jobs and spending to rows of the ledger's tables and back, without a database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import NoneType
from typing import Any, TypeVar

from tools.errors import DeskError
from tools.interactions.server_name import normalized_server
from tools.research.job import FollowUpAnswer, Job, Kind, Order, Plan, ReportChanges, State
from tools.research.spending import Spending
from tools.sanitize import sanitize

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
    """Returns a new job's row."""
    order = job.order
    return {
        "id": job.id,
        "key": order.key,
        "user": order.user,
        "session": order.session,
        "brief": order.brief,
        "agent": order.agent,
        "options": options_text(order.options),
        "attempt": order.attempt,
        "state": job.state,
        "created": job.created,
        "updated": job.updated,
        "interaction_id": job.interaction_id,
        "cursor": job.cursor,
        "events": job.events,
        "finished": job.finished,
        "usage": json.dumps(dict(job.usage)),
        "error": job.error,
        "line": job.line,
        "plan": plan_text(job.plan),
        "inputs": json.dumps([dict(content) for content in order.inputs]),
        "cost": job.cost,
        "server": order.server,
        "follow_ups": answers_text(job.follow_ups),
        "base": order.base,
        "previous": order.previous,
        "title": order.title,
        "started": job.started,
        "trace": job.trace,
        "may_run": int(job.may_run),
        "notify": json.dumps(list(order.notify)),
        "schedule": order.schedule,
        "due": order.due,
        "changes": changes_text(job.changes),
    }


def options_text(options: Mapping[str, Any]) -> str:
    """Formats an order's options as JSON for their column; equal options give the same text."""
    return json.dumps(dict(options), sort_keys=True)


def plan_text(plan: Plan | None) -> str | None:
    """Formats a plan as JSON for its column."""
    return json.dumps(asdict(plan)) if plan else None


def changes_text(changes: ReportChanges | None) -> str | None:
    """Formats what has changed as JSON for its column."""
    return json.dumps(asdict(changes)) if changes else None


def answers_text(answers: Sequence[FollowUpAnswer]) -> str:
    """Formats answers as JSON for their column."""
    return json.dumps([asdict(answer) for answer in answers])


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
    for name, (kinds, words) in _KINDS.items():
        if not isinstance(values[name], kinds):
            raise ValueError(f"`{name}` is not {words}")
    for name, maximum in _MAX_VALUES.items():
        if (number := values[name]) is not None and not 0 <= number <= maximum:  # also rejects NaN
            raise ValueError(f"`{name}` is {number}, out of bounds")
    if (state := values["state"]) not in _STATES:
        raise ValueError(f"`state` is {state[:40]!r}, which is not known here")
    order = Order(
        brief=values["brief"],
        user=values["user"],
        session=values["session"],
        agent=values["agent"],
        options=_data(values, "options", dict),
        inputs=tuple(_records(values, "inputs")),
        attempt=values["attempt"],
        server=normalized_server(values["server"]),
        base=values["base"],
        previous=values["previous"],
        title=values["title"],
        notify=tuple(map(str, _data(values, "notify", list))),
        schedule=values["schedule"],
        due=values["due"],
    )
    return Job(
        id=values["id"],
        order=order,
        state=State(state),
        created=values["created"],
        updated=values["updated"],
        interaction_id=values["interaction_id"],
        cursor=values["cursor"],
        events=values["events"],
        finished=values["finished"],
        usage=_data(values, "usage", dict),
        error=values["error"],
        line=values["line"],
        plan=_part(Plan, "plan", _data(values, "plan", dict)) if values["plan"] else None,
        cost=values["cost"],
        started=values["started"],
        follow_ups=tuple(_part(FollowUpAnswer, "follow_ups", answer) for answer in _records(values, "follow_ups")),
        trace=values["trace"],
        may_run=bool(values["may_run"]),
        changes=_part(ReportChanges, "changes", _data(values, "changes", dict)) if values["changes"] else None,
    )


_TEXT, _TEXT_OR_NONE = (str, "a text"), ((str, NoneType), "a text")
_COUNT, _NUMBER, _NUMBER_OR_NONE = (
    (int, "a whole number"),
    ((float, int), "a number"),
    ((float, int, NoneType), "a number"),
)
_KINDS: Mapping[str, tuple[Any, str]] = {
    **dict.fromkeys(("id", "user", "session", "brief", "agent", "options", "state", "usage", "error", "line"), _TEXT),
    **dict.fromkeys(
        ("inputs", "server", "follow_ups", "base", "previous", "title", "trace", "notify", "schedule"), _TEXT
    ),
    **dict.fromkeys(("interaction_id", "cursor", "plan", "changes"), _TEXT_OR_NONE),
    **dict.fromkeys(("attempt", "events", "may_run"), _COUNT),
    **dict.fromkeys(("created", "updated", "cost"), _NUMBER),
    **dict.fromkeys(("finished", "started", "due"), _NUMBER_OR_NONE),
}
"""Maps each column to its type, and to the type's name in errors. SQLite itself stores values of any type."""
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
    fields = _FIELDS[kind]
    if wrong := [key for key, value in values.items() if not isinstance(value, fields.get(key, ()))]:
        raise ValueError(f"`{name}` has an unknown or wrong `{wrong[0]:.40}`")
    lists = {key: tuple(values.get(key, ())) for key, kind_ in fields.items() if kind_ is list}
    for key, ids in lists.items():
        if not all(isinstance(id_, str) for id_ in ids):
            raise ValueError(f"`{name}` has an `{key}` that is no list of texts")
    return kind(**{**values, **lists})
