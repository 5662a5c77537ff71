"""Reads the newest events of a session from ADK's tables: at most as many as a turn's window allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from google.adk.events import Event
from google.adk.sessions.schemas.shared import utc_datetime_to_timestamp
from google.adk.sessions.schemas.v1 import StorageEvent
from sqlalchemy import Connection, Table, Text, and_, bindparam, case, func, select
from sqlalchemy import cast as sql_cast

from tools.adk.sessions.limits import WINDOW_CHARS, WINDOW_EVENTS
from tools.databases.transactions import Transactions

_E = cast(Table, StorageEvent.__table__)
_NEWEST = (
    select(
        _E.c.id,
        _E.c.invocation_id,
        _E.c.timestamp,
        _E.c.event_data,
        func.length(sql_cast(_E.c.event_data, Text)).label("size"),
    )
    .where(
        and_(
            _E.c.app_name == bindparam("app"),
            _E.c.user_id == bindparam("user"),
            _E.c.session_id == bindparam("session"),
        )
    )
    .order_by(_E.c.timestamp.desc(), _E.c.id.desc())
    .limit(WINDOW_EVENTS)
)


def _in_one_answer() -> Any:
    """Returns a statement for a driver that reads all rows: rows of events outside the window have no data."""
    found = _NEWEST.subquery("found")
    order = (found.c.timestamp.desc(), found.c.id.desc())
    newer = func.sum(found.c.size).over(order_by=order, rows=(None, 0)) - found.c.size
    summed = select(found, newer.label("newer")).subquery("summed")
    data = case((summed.c.newer < bindparam("window_chars"), summed.c.event_data), else_=None)
    return select(summed.c.id, summed.c.invocation_id, summed.c.timestamp, data, summed.c.size).order_by(
        summed.c.timestamp.desc(), summed.c.id.desc()
    )


_NEWEST_IN_ONE_ANSWER = _in_one_answer()


@dataclass(frozen=True)
class NewestEvents:
    """The newest events of a session, oldest first."""

    events: list[Event]
    sizes: list[int]
    """Characters of the JSON of each event."""
    is_whole: bool
    """Whether the session has no older events."""

    @property
    def size(self) -> int:
        """Characters of the JSON of all events."""
        return sum(self.sizes)

    def with_written(self, events: Sequence[Event], sizes: Sequence[int]) -> NewestEvents:
        """Returns the window after `events`, at least one, were written."""
        events, sizes = [*self.events, *events], [*self.sizes, *sizes]
        count, newer = 0, 0
        for size in reversed(sizes[-WINDOW_EVENTS:]):
            if newer >= WINDOW_CHARS:
                break
            count, newer = count + 1, newer + size
        return NewestEvents(events[-count:], sizes[-count:], self.is_whole and count == len(events))


async def read_newest(transactions: Transactions, key: Mapping[str, Any], is_postgresql: bool) -> NewestEvents:
    """Reads the window of a session by one statement.

    Args:
        key: `app`, `user` and `session`.

    Raises:
        sqlalchemy.exc.SQLAlchemyError, OSError: see `Transactions.run`.
    """
    if is_postgresql:
        values = {**key, "window_chars": WINDOW_CHARS}
        found = await transactions.execute(_NEWEST_IN_ONE_ANSWER, values)
        rows = [row for row in found if row[3] is not None]
        is_whole = len(rows) == len(found) < WINDOW_EVENTS
    else:
        rows, is_whole = await transactions.run(partial(_read_in_steps, key=key))
    rows = rows[::-1]
    return NewestEvents([*map(_event, rows)], [row[4] for row in rows], is_whole)


def _read_in_steps(connection: Connection, key: Mapping[str, Any]) -> tuple[list[Sequence[Any]], bool]:
    """Reads one row after the other until the window is full. Returns the rows, and whether they are all."""
    rows, newer = list[Sequence[Any]](), 0
    with closing(connection.execute(_NEWEST, key)) as result:
        for row in result:
            rows.append(row)
            newer += row[4]
            if newer >= WINDOW_CHARS:
                return rows, False
    return rows, len(rows) < WINDOW_EVENTS


def _event(row: Sequence[Any]) -> Event:
    """An event as ADK parses it (`schemas/v1.py:to_event`)."""
    event_id, invocation, at, data, _ = row
    return Event.model_validate(
        {"timestamp": utc_datetime_to_timestamp(at), **(data or {}), "id": event_id, "invocation_id": invocation}
    )
