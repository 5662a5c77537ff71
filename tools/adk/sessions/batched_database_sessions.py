"""Sessions of a turn: read once, kept for the next turn, and written in few transactions by plain SQL.

For each event, ADK 2.13 reads three rows through SQLAlchemy's ORM and commits a transaction of its own
(`database_session_service.py:append_event`), and each turn reads and parses all its events again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from google.adk.errors._stale_session_error import StaleSessionError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events import Event
from google.adk.sessions import Session, State
from google.adk.sessions._session_util import make_json_safe_state
from google.adk.sessions.base_session_service import GetSessionConfig
from google.adk.sessions.database_session_service import _merge_state
from google.adk.sessions.migration._schema_check_utils import LATEST_SCHEMA_VERSION
from google.adk.sessions.schemas.shared import timestamp_to_utc_datetime, utc_datetime_to_timestamp

from tools.adk.contents import TRANSFER_TOOL
from tools.adk.sessions.limits import KEPT_CHARS, KEPT_SESSIONS, WRITE_AFTER_S
from tools.adk.sessions.newest_events import NewestEvents, read_newest
from tools.adk.sessions.session_statements import (
    READ,
    WRITE_STATE_WITH_EVENTS,
    WRITE_WITH_EVENTS,
    SessionKey,
    row_of,
    update_session,
    values_of,
)
from tools.adk.sessions.windowed_sessions import WindowedDatabaseSessions, from_user_message, windowed_reads
from tools.databases.connections import replace_when_closed
from tools.databases.shielded import shielded
from tools.databases.transactions import Transactions
from tools.load_control.memory_release import LARGE_BYTES, release_memory_soon

log = logging.getLogger(__name__)


@dataclass
class _Stored:
    """A session as it is stored."""

    state: dict[str, Any]
    """The state of the session alone, without state of the user and the application."""
    updated: datetime
    merged: dict[str, Any]
    """The state as an agent sees it."""
    newest: NewestEvents | None = None
    """The newest events; None: not read."""


@dataclass
class _Turn:
    """The state of a turn: the session that it has read, and the events that it has not written yet."""

    key: SessionKey | None = None
    stored: _Stored | None = None
    is_fresh: bool = False
    """Whether `stored` was read by this turn and not used yet."""
    session: Session | None = None
    unwritten: list[tuple[Event, dict[str, Any]]] = field(default_factory=list)
    """Events with their rows."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    timer: asyncio.TimerHandle | None = None
    is_large: bool = False
    """Whether the turn has read many bytes."""


_turn: ContextVar[_Turn | None] = ContextVar("turn", default=None)


class BatchedDatabaseSessions(WindowedDatabaseSessions):
    """ADK's sessions in a database; within `turn`, events are written together and read only if they are not known.

    Outside of a turn, and in a database with ADK's older schema, everything is done by ADK.
    """

    write_after_s = WRITE_AFTER_S

    def __init__(self, db_url: str, connect_args: dict[str, Any] | None = None, **engine: Any) -> None:
        super().__init__(db_url, connect_args=connect_args or {}, pool_pre_ping=False, **engine)
        self._is_postgresql = self.db_engine.dialect.name == "postgresql"
        if self._is_postgresql:
            replace_when_closed(self.db_engine)
        self._transactions = Transactions(self.db_engine, connect_args)
        self._known: OrderedDict[SessionKey, tuple[datetime, NewestEvents]] = OrderedDict()
        """The revision and the newest events of conversations."""
        self._running: dict[SessionKey, _Turn] = {}
        self._late_writes: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Reads and writes within this block belong to one turn of one conversation, which only this turn may change.

        The end of the turn writes the remaining events if the turn has failed or was cancelled.
        """
        turn = _Turn()
        before = _turn.set(turn)
        try:
            with windowed_reads():
                yield
        finally:
            _turn.reset(before)
            if turn.key and self._running.get(turn.key) is turn:
                del self._running[turn.key]
            try:
                await self._write(turn)
            except Exception:
                log.exception("the message of a turn that did not end was not stored")
            if turn.is_large:
                release_memory_soon()

    async def get_session(
        self, *, app_name: str, user_id: str, session_id: str, config: GetSessionConfig | None = None
    ) -> Session | None:
        turn, key = _turn.get(), (app_name, user_id, session_id)
        only_exists = config is not None and config.num_recent_events == 0 and config.after_timestamp is None
        if turn is None or not (config is None or only_exists) or not await self._is_newest_schema():
            if running := self._running.get(key):
                await self._write(running)  # else a page that is loaded during a turn would not show the message
            return await super().get_session(app_name=app_name, user_id=user_id, session_id=session_id, config=config)
        await self._write(turn)
        if not (turn.is_fresh and turn.stored and turn.key == key):
            turn.key, turn.stored, turn.is_fresh = key, await self._read(key), True
            self._running[key] = turn
        stored = turn.stored
        if stored is None:
            return None
        if only_exists:
            return _session(key, stored, [])
        turn.is_fresh = False
        if stored.newest is None:
            stored.newest = await read_newest(self._transactions, values_of(key), self._is_postgresql)
            turn.is_large = turn.is_large or stored.newest.size > LARGE_BYTES

        async def read_all() -> Session | None:
            turn.is_large = True
            return await super(BatchedDatabaseSessions, self).get_session(
                app_name=app_name, user_id=user_id, session_id=session_id, config=GetSessionConfig()
            )

        return await from_user_message(_session(key, stored, stored.newest.events), stored.newest.is_whole, read_all)

    async def append_event(self, session: Session, event: Event) -> Event:
        if event.partial:  # ADK stores none
            return event
        turn, stored = _turn.get(), None
        if turn and turn.key == (session.app_name, session.user_id, session.id):
            stored = turn.stored
        if (
            turn is None
            or stored is None
            or session._storage_update_marker != _marker(stored.updated)
            or any(name.startswith((State.APP_PREFIX, State.USER_PREFIX)) for name in event.actions.state_delta)
        ):
            if turn:
                await self._write(turn)
                turn.stored = None  # somebody else writes
            return await super().append_event(session, event)
        self._apply_temp_state(session, event)
        event = self._trim_temp_delta_state(event)
        turn.session = session
        turn.unwritten.append((event, row_of(session, event)))
        if _writes_at_once(event):
            try:
                await self._write(turn)
            except Exception:
                turn.unwritten = [each for each in turn.unwritten if each[0] is not event]
                raise
        elif turn.timer is None:
            turn.timer = asyncio.get_running_loop().call_later(self.write_after_s, self._write_late, turn)
        return self._commit_event_to_session(session, event)

    async def delete_session(self, app_name: str, user_id: str, session_id: str) -> None:
        key = (app_name, user_id, session_id)
        self._known.pop(key, None)
        turn = _turn.get() or self._running.get(key)
        if turn and turn.key == key:
            turn.unwritten, turn.stored, turn.is_fresh = [], None, False
        await super().delete_session(app_name, user_id, session_id)

    async def close(self) -> None:
        await super().close()
        self._transactions.close()

    async def _is_newest_schema(self) -> bool:
        await self.prepare_tables()
        return self._db_schema_version == LATEST_SCHEMA_VERSION

    async def _read(self, key: SessionKey) -> _Stored | None:
        rows = await self._transactions.execute(READ, values_of(key))
        if not rows:
            return None
        state, updated, of_app, of_user = rows[0]
        stored = _Stored(state, updated, _merge_state(of_app or {}, of_user or {}, state))
        known = self._known.get(key)
        if known and known[0] == updated:
            stored.newest = known[1]
        return stored

    @shielded
    async def _write(self, turn: _Turn) -> None:
        """Writes the turn's unwritten events in one transaction, and remembers the session as it is stored now.

        Raises:
            StaleSessionError: another process has changed the session.
            SessionNotFoundError: the session was deleted.
        """
        async with turn.lock:
            if turn.timer:
                turn.timer.cancel()
                turn.timer = None
            stored, key, written = turn.stored, turn.key, turn.unwritten[:]
            if not written or stored is None or key is None or turn.session is None:
                return
            self._known.pop(key, None)
            stored.state, stored.updated = await self._write_events(key, stored, written)
            del turn.unwritten[: len(written)]
            if stored.newest:
                sizes = [len(json.dumps(row["event_data"])) for _, row in written]
                stored.newest = stored.newest.with_written([event for event, _ in written], sizes)
                if stored.newest.size <= KEPT_CHARS:
                    self._known[key] = (stored.updated, stored.newest)
            if len(self._known) > KEPT_SESSIONS:
                self._known.popitem(last=False)
            turn.session.last_update_time = utc_datetime_to_timestamp(stored.updated)
            turn.session._storage_update_marker = _marker(stored.updated)

    async def _write_events(
        self, key: SessionKey, stored: _Stored, written: Sequence[tuple[Event, dict[str, Any]]]
    ) -> tuple[dict[str, Any], datetime]:
        """Adds events to a session that is still as `stored` says. Returns its new state and revision."""
        updated = timestamp_to_utc_datetime(written[-1][0].timestamp)
        values = {**values_of(key), "before": stored.updated, "now": updated}
        delta = {name: value for event, _ in written for name, value in event.actions.state_delta.items()}
        state = {**stored.state, **make_json_safe_state(delta)}
        rows = [row for _, row in written]
        if self._is_postgresql:
            events = json.dumps([{**row, "timestamp": row["timestamp"].isoformat()} for row in rows])
            statement = WRITE_STATE_WITH_EVENTS if delta else WRITE_WITH_EVENTS
            values |= {"events": events, "new_state": json.dumps(state)}
            is_written = bool(await self._transactions.execute(statement, values))
        else:
            values |= {"new_state": state} if delta else {}
            is_written = await self._transactions.run(partial(update_session, values=values, rows=rows))
        if not is_written:
            if not await self._transactions.execute(READ, values_of(key)):
                raise SessionNotFoundError(f"Session {key[2]} not found.")
            raise StaleSessionError("The session was changed by somebody else during this turn.")
        return state, updated

    def _write_late(self, turn: _Turn) -> None:
        async def write() -> None:
            with suppress(Exception):  # the next write of the turn tries it again, and raises
                await self._write(turn)

        turn.timer = None
        task = asyncio.ensure_future(write())
        self._late_writes.add(task)
        task.add_done_callback(self._late_writes.discard)


def _writes_at_once(event: Event) -> bool:
    """Whether an event has to be stored before anybody sees it: an answer, or a tool that may act on the world.

    The user's message may wait until the answer or the first tool; a handover between agents may wait too.
    """
    names = [call.name for call in event.get_function_calls()]
    names += [response.name for response in event.get_function_responses()]
    return any(name != TRANSFER_TOOL for name in names) if names else event.author != "user"


def _marker(updated: datetime) -> str:
    """The revision of a session, as ADK writes it (`schemas/v1.py:get_update_marker`)."""
    return updated.isoformat(timespec="microseconds")


def _session(key: SessionKey, stored: _Stored, events: Iterable[Event]) -> Session:
    app, user, session_id = key
    updated = utc_datetime_to_timestamp(stored.updated)
    session = Session(
        app_name=app, user_id=user, id=session_id, state=dict(stored.merged), events=[], last_update_time=updated
    )
    session.events = list(events)
    session._storage_update_marker = _marker(stored.updated)
    return session
