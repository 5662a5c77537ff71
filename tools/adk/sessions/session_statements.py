"""The SQL of sessions: reads one with its state, and writes events with a new revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from google.adk.events import Event
from google.adk.sessions import Session
from google.adk.sessions.schemas.shared import timestamp_to_utc_datetime
from google.adk.sessions.schemas.v1 import StorageAppState, StorageEvent, StorageSession, StorageUserState
from sqlalchemy import (
    ColumnClause,
    Connection,
    Table,
    Update,
    and_,
    bindparam,
    column,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

SessionKey = tuple[str, str, str]
"""Application, user and id of a session."""

_S, _E, _A, _U = (
    cast(Table, each.__table__) for each in (StorageSession, StorageEvent, StorageAppState, StorageUserState)
)
_IS_SESSION = and_(
    _S.c.app_name == bindparam("app"), _S.c.user_id == bindparam("user"), _S.c.id == bindparam("session")
)
READ = (
    select(_S.c.state, _S.c.update_time, _A.c.state, _U.c.state)
    .outerjoin(_A, _A.c.app_name == _S.c.app_name)
    .outerjoin(_U, and_(_U.c.app_name == _S.c.app_name, _U.c.user_id == _S.c.user_id))
    .where(_IS_SESSION)
)
_WRITE = update(_S).where(_IS_SESSION, _S.c.update_time == bindparam("before")).values(update_time=bindparam("now"))
_WRITE_STATE = _WRITE.values(update_time=bindparam("now"), state=bindparam("new_state"))
_WRITE_EVENTS = insert(_E)


def _with_events(write: Update) -> Any:
    """Returns `write` and the insert of events as one statement of PostgreSQL, which needs no transaction around it."""
    written = write.returning(_S.c.id).cte("written")
    new = (
        func.jsonb_to_recordset(bindparam("events", type_=JSONB))
        .table_valued(*_columns())
        .render_derived(name="new", with_types=True)
    )
    rows = select(new).where(exists(select(written)))
    return insert(_E).from_select([each.name for each in _columns()], rows).returning(_E.c.id)


def _columns() -> list[ColumnClause[Any]]:
    return [column(each.name, each.type) for each in _E.columns]


WRITE_WITH_EVENTS, WRITE_STATE_WITH_EVENTS = map(_with_events, (_WRITE, _WRITE_STATE))


def update_session(connection: Connection, values: Mapping[str, Any], rows: Sequence[dict[str, Any]]) -> bool:
    """Writes events and the new revision, if the stored revision is the expected one. Returns whether it wrote them."""
    statement = _WRITE_STATE if "new_state" in values else _WRITE
    is_written = connection.execute(statement, values).rowcount == 1
    if is_written:
        connection.execute(_WRITE_EVENTS, rows)
    return is_written


def values_of(key: SessionKey) -> dict[str, Any]:
    return dict(zip(("app", "user", "session"), key, strict=True))


def row_of(session: Session, event: Event) -> dict[str, Any]:
    """The row of an event, as ADK writes it."""
    return {
        "id": event.id,
        "app_name": session.app_name,
        "user_id": session.user_id,
        "session_id": session.id,
        "invocation_id": event.invocation_id,
        "timestamp": timestamp_to_utc_datetime(event.timestamp),
        "event_data": event.model_dump(exclude_none=True, mode="json"),
    }
