"""Session services that give a turn only the newest events, and load older events if the turn needs them.

ADK 2.13 reads and copies the whole session at the beginning of each turn (`runners.py:966`), so that turn 1,000 takes
ten times as long as turn 10. ADK's own `num_recent_events` does not solve this: it loses the chains of agents that have
not answered for a long time, and may separate a call from its result.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import partial

import aiosqlite
from google.adk.events import Event
from google.adk.sessions import BaseSessionService, DatabaseSessionService, InMemorySessionService, Session
from google.adk.sessions.base_session_service import GetSessionConfig
from google.adk.sessions.sqlite_session_service import SqliteSessionService
from sqlalchemy import text

from tools.adk.sessions.lazy_history import RecentEvents
from tools.adk.sessions.limits import WINDOW_EVENTS
from tools.adk.sessions.shielded_sessions import ShieldedSessions
from tools.databases.shielded import shielded

_INDEX = "CREATE INDEX IF NOT EXISTS ix_events_newest ON events (app_name, user_id, session_id, timestamp)"
_turn: ContextVar[bool] = ContextVar("turn", default=False)


@contextmanager
def windowed_reads() -> Iterator[None]:
    """Limits session reads within this block, a runner's turn, to the newest events. Other readers get all events."""
    before = _turn.set(True)
    try:
        yield
    finally:
        _turn.reset(before)


class WindowedSessions(BaseSessionService):
    """Gives a turn the newest events of its session."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Limits reads within this block as `windowed_reads` does. Subclasses may also collect a turn's writes here."""
        with windowed_reads():
            yield

    async def get_session(
        self, *, app_name: str, user_id: str, session_id: str, config: GetSessionConfig | None = None
    ) -> Session | None:
        read = partial(super().get_session, app_name=app_name, user_id=user_id, session_id=session_id)  # type: ignore[safe-super]
        return await recent(read) if config is None and _turn.get() else await read(config=config)


class WindowedInMemorySessions(WindowedSessions, InMemorySessionService):
    """ADK's sessions in memory; a turn gets the newest events."""

    async def append_event(self, session: Session, event: Event) -> Event:
        """Compares a new event only with the newest events, to find a repeated delivery.

        ADK 2.13 compares the event with each event of the session (`in_memory_session_service.py:354`).
        """
        stored = self.sessions.get(session.app_name, {}).get(session.user_id, {}).get(session.id, session)
        if stored is session:
            return await super().append_event(session, event)
        whole, stored.events = stored.events, stored.events[-WINDOW_EVENTS:]
        known = len(stored.events)
        try:
            return await super().append_event(session, event)  # never suspends, so no other task sees the short list
        finally:
            stored.events, added = whole, stored.events[known:]
            whole += added


class WindowedSqliteSessions(WindowedSessions, ShieldedSessions, SqliteSessionService):
    """ADK's sessions in SQLite; a turn gets the newest events. Adds an index for this, which ADK 2.13 lacks."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self._file, self._indexed = file, False

    async def get_session(
        self, *, app_name: str, user_id: str, session_id: str, config: GetSessionConfig | None = None
    ) -> Session | None:
        found = await super().get_session(app_name=app_name, user_id=user_id, session_id=session_id, config=config)
        if not self._indexed:  # the table exists by now
            await self._make_index()
        return found

    @shielded
    async def _make_index(self) -> None:
        async with aiosqlite.connect(self._file) as database:
            await database.execute(_INDEX)
        self._indexed = True


class WindowedDatabaseSessions(WindowedSessions, ShieldedSessions, DatabaseSessionService):
    """ADK's sessions in a database that SQLAlchemy supports; a turn gets the newest events."""

    @shielded
    async def write_nothing(self) -> None:
        """Takes the lock that a write needs, without changing anything.

        Raises:
            sqlalchemy.exc.SQLAlchemyError, OSError: sessions cannot be written now.
        """
        await self.prepare_tables()
        async with self.db_engine.begin() as connection:
            await connection.execute(text("UPDATE sessions SET id = id WHERE 1 = 0"))


async def recent(read: Callable[..., Awaitable[Session | None]]) -> Session | None:
    """Reads the newest events, as `from_user_message` returns them."""
    session = await read(config=GetSessionConfig(num_recent_events=WINDOW_EVENTS))
    if session is None:
        return None
    return await from_user_message(session, len(session.events) < WINDOW_EVENTS, read)


async def from_user_message(
    session: Session, is_whole: bool, read_all: Callable[[], Awaitable[Session | None]]
) -> Session | None:
    """Returns a session with its newest events, beginning with a message of the user.

    Reads all events if there is a rewind or no such message among the newest.

    Args:
        session: the session with its newest events.
        is_whole: whether these are all of its events.
        read_all: reads the session with all events.
    """
    if is_whole:
        return session
    start = next((i for i, event in enumerate(session.events) if event.author == "user"), None)
    if start is None or any(event.actions.rewind_before_invocation_id for event in session.events):
        return await read_all()

    async def load_all() -> list[Event]:
        found = await read_all()
        return found.events if found else []

    session.events = RecentEvents(session.events[start:], load_all)
    return session
