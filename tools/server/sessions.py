"""The session services of the server: opens them, lists conversations, and refuses what clients must not write."""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, cast

from google.adk.artifacts import BaseArtifactService
from google.adk.errors.input_validation_error import InputValidationError
from google.adk.events import Event
from google.adk.events._internal_metadata import RESTORED_EVENT_KEY
from google.adk.sessions import Session, State
from google.adk.sessions.base_session_service import GetSessionConfig, ListSessionsResponse
from google.adk.sessions.schemas.shared import utc_datetime_to_timestamp
from google.adk.sessions.schemas.v1 import StorageSession
from sqlalchemy import Dialect, Table, select, text

from tools.adk.sessions.batched_database_sessions import BatchedDatabaseSessions
from tools.adk.sessions.windowed_sessions import WindowedInMemorySessions, WindowedSessions
from tools.app import APP_NAME
from tools.databases.database_url import redacted_url, sqlite_file
from tools.databases.shielded import shielded
from tools.extras import install_command
from tools.files.private_files import create_private_file, create_private_folder
from tools.privacy.erasure import SessionKey, delete_artifacts
from tools.research.factory import research
from tools.research.order import OUTSIDE_CONVERSATIONS
from tools.server.limits import MAX_NAME_CHARS
from tools.server.middleware.idempotency import MESSAGE_KEY
from tools.server.middleware.rate_limit import RateLimited
from tools.server.protected_fields import check_state, check_state_size, without_protected
from tools.server.settings import ServerSettings, sessions_url
from tools.settings import Settings, SettingsError

_S = cast(Table, StorageSession.__table__)
ROW_BYTES = 500
"""Approximate bytes that the names and the indexes of a row take."""
_without_events: ContextVar[bool] = ContextVar("without_events", default=False)


@contextmanager
def reads_without_events() -> Iterator[None]:
    """Reads conversations without their events within this block."""
    before = _without_events.set(True)
    try:
        yield
    finally:
        _without_events.reset(before)


class CheckedSessions(WindowedSessions):
    """Checks the three ways that a client can write: `create_session`, user events, and restored events.

    A client sends restored events to create a conversation with a history.
    """

    max_sessions = 1000
    """Maximum number of conversations per user."""

    async def create_session(
        self, *, app_name: str, user_id: str, state: dict[str, Any] | None = None, session_id: str | None = None
    ) -> Session:
        state = state or {}
        check_state(state, of_client=True)
        of_user = await self.get_user_state(app_name=app_name, user_id=user_id) if state else {}
        check_state_size({State.USER_PREFIX + name: value for name, value in of_user.items()}, state)
        for name in (user_id, session_id or ""):
            if len(name) > MAX_NAME_CHARS or not name.isprintable():
                raise InputValidationError(
                    f"a name may have at most {MAX_NAME_CHARS} characters, all of them printable"
                )
        if session_id and ("/" in session_id or session_id.strip() in (".", "..")):  # its address would be another one
            raise InputValidationError("a conversation's name has no `/`, and is not `.` or `..`: choose another")
        if session_id and session_id.strip() == OUTSIDE_CONVERSATIONS:  # forgetting it would delete the page's runs
            raise InputValidationError(f"a conversation cannot have the name `{session_id.strip()}`: choose another")
        if await self.count(app_name, user_id) >= self.max_sessions:
            raise RateLimited(
                f"there are {self.max_sessions} conversations, and a user may have no more: delete some"
                f" (DELETE /apps/{app_name}/users/me/sessions/ID)"
            )
        return await super().create_session(  # type: ignore[safe-super]
            app_name=app_name, user_id=user_id, state=state, session_id=session_id
        )

    async def get_session(
        self, *, app_name: str, user_id: str, session_id: str, config: GetSessionConfig | None = None
    ) -> Session | None:
        config = config or (GetSessionConfig(num_recent_events=0) if _without_events.get() else None)
        return await super().get_session(app_name=app_name, user_id=user_id, session_id=session_id, config=config)

    async def list_sessions(self, *, app_name: str, user_id: str | None = None) -> ListSessionsResponse:
        """Lists conversations with their ids and times, and without state: all of it could be hundreds of megabytes."""
        found = await self.last_updates(app_name, user_id)
        return ListSessionsResponse(
            sessions=[
                Session(app_name=app_name, user_id=user, id=name, last_update_time=at)
                for at, user, name in sorted(found)
            ]
        )

    async def append_event(self, session: Session, event: Event) -> Event:
        restored = bool((event.custom_metadata or {}).get(RESTORED_EVENT_KEY))
        of_client = restored or event.author == "user"
        check_state(event.actions.state_delta, of_client)
        if of_client and event.actions.state_delta:
            check_state_size(session.state, event.actions.state_delta)
        if restored:  # written by a client
            event.interaction_id = None  # else the next turn could continue another user's interaction
            event.custom_metadata = without_protected(event.custom_metadata)
        return await super().append_event(session, event)

    @abstractmethod
    async def count(self, app_name: str, user_id: str) -> int:
        """Returns the number of conversations of a user."""

    @abstractmethod
    async def last_updates(self, app_name: str, user_id: str | None) -> list[tuple[float, str, str]]:
        """Returns the time (seconds since the epoch) of each conversation's last change, its user and its id.

        Args:
            user_id: whose conversations; None: everybody's.
        """

    @abstractmethod
    async def may_have_message(self, app_name: str, user_id: str, session_id: str, key: str) -> bool:
        """Returns whether a conversation may have events of a message with this idempotency key."""

    @abstractmethod
    async def stored_bytes(self, app_name: str, user_id: str) -> int:
        """Returns the bytes of the events and the state of a user's conversations."""

    @abstractmethod
    async def conversation_bytes(self, app_name: str, user_id: str, session_id: str) -> int:
        """Returns the bytes of the events of a conversation; 0 if there is none."""


class CheckedInMemorySessions(CheckedSessions, WindowedInMemorySessions):
    """Stores conversations in the memory of this process."""

    async def count(self, app_name: str, user_id: str) -> int:
        return len(self.sessions.get(app_name, {}).get(user_id, {}))

    async def last_updates(self, app_name: str, user_id: str | None) -> list[tuple[float, str, str]]:
        users = self.sessions.get(app_name, {})
        return [
            (session.last_update_time, user, session.id)
            for user, sessions in users.items()
            if user_id in (None, user)
            for session in sessions.values()
        ]

    async def may_have_message(self, app_name: str, user_id: str, session_id: str, key: str) -> bool:
        return True  # its events are in memory anyway

    async def stored_bytes(self, app_name: str, user_id: str) -> int:
        sessions = [*self.sessions.get(app_name, {}).get(user_id, {}).values()]
        events = [event for session in sessions for event in session.events]
        states = [dict(session.state) for session in sessions]
        states.append(dict(self.user_state.get(app_name, {}).get(user_id, {})))
        return await asyncio.to_thread(
            lambda: sum(len(event.model_dump_json()) for event in events) + len(json.dumps(states, default=str))
        )

    async def conversation_bytes(self, app_name: str, user_id: str, session_id: str) -> int:
        session = self.sessions.get(app_name, {}).get(user_id, {}).get(session_id)
        events = [*session.events] if session else []
        return await asyncio.to_thread(lambda: sum(len(event.model_dump_json()) for event in events))


class CheckedDatabaseSessions(CheckedSessions, BatchedDatabaseSessions):
    """Stores conversations in a database."""

    @shielded
    async def count(self, app_name: str, user_id: str) -> int:
        await self.prepare_tables()
        query = text("SELECT count(*) FROM sessions WHERE app_name = :app AND user_id = :user")
        async with self.db_engine.connect() as connection:
            return int((await connection.execute(query, {"app": app_name, "user": user_id})).scalar_one())

    @shielded
    async def last_updates(self, app_name: str, user_id: str | None) -> list[tuple[float, str, str]]:
        await self.prepare_tables()
        query = select(_S.c.update_time, _S.c.user_id, _S.c.id).where(_S.c.app_name == app_name)
        if user_id is not None:
            query = query.where(_S.c.user_id == user_id)
        async with self.db_engine.connect() as connection:
            return [(utc_datetime_to_timestamp(at), user, name) for at, user, name in await connection.execute(query)]

    @shielded
    async def may_have_message(self, app_name: str, user_id: str, session_id: str, key: str) -> bool:
        if not await self._is_newest_schema():
            return True
        values = {"app": app_name, "user": user_id, "session": session_id, "name": MESSAGE_KEY, "key": key}
        query = text(
            "SELECT EXISTS (SELECT 1 FROM events WHERE app_name = :app AND user_id = :user AND session_id = :session"
            " AND event_data -> 'custom_metadata' ->> :name = :key)"
        )
        async with self.db_engine.connect() as connection:
            return bool((await connection.execute(query, values)).scalar_one())

    @shielded
    async def stored_bytes(self, app_name: str, user_id: str) -> int:
        columns = {"events": await self._event_columns(), "sessions": ("state",), "user_states": ("state",)}
        sums = [sum_of_bytes(self.db_engine.dialect, table, names) for table, names in columns.items()]
        query = text("SELECT " + " + ".join(f"({each} WHERE app_name = :app AND user_id = :user)" for each in sums))
        async with self.db_engine.connect() as connection:
            return int((await connection.execute(query, {"app": app_name, "user": user_id})).scalar_one())

    @shielded
    async def conversation_bytes(self, app_name: str, user_id: str, session_id: str) -> int:
        events = sum_of_bytes(self.db_engine.dialect, "events", await self._event_columns())
        query = text(f"{events} WHERE app_name = :app AND user_id = :user AND session_id = :session")
        values = {"app": app_name, "user": user_id, "session": session_id}
        async with self.db_engine.connect() as connection:
            return int((await connection.execute(query, values)).scalar_one())

    async def _event_columns(self) -> tuple[str, ...]:
        """The columns of the table of events that have contents."""
        newest = await self._is_newest_schema()
        return ("event_data",) if newest else ("actions", "content", "grounding_metadata", "custom_metadata")


def sum_of_bytes(dialect: Dialect, table: str, columns: Sequence[str]) -> str:
    """Returns a SELECT of the bytes of rows, as they are in memory; callers add the condition.

    PostgreSQL compresses them, a text of one letter to less than a hundredth.
    """
    size = "octet_length({}::text)" if dialect.name == "postgresql" else "length(CAST({} AS BLOB))"
    values = " + ".join(f"coalesce({size.format(column)}, 0)" for column in columns)
    return f"SELECT coalesce(sum({ROW_BYTES} + {values}), 0) FROM {table}"


def new_sessions(server: ServerSettings, settings: Settings) -> CheckedSessions:
    """Returns the service that stores conversations.

    Raises:
        SettingsError: the address is unusable.
    """
    found = sessions_url(server, settings.ledger_url, settings.data_dir)
    if found is None:
        return _limited(CheckedInMemorySessions(), server)
    url, arguments = found
    sqlite = url.get_backend_name() == "sqlite"
    pool = {} if sqlite else {"pool_size": server.pool_size, "max_overflow": server.pool_size}
    create_private_folder(settings.data_dir)
    if file := sqlite_file(url):
        with suppress(OSError):  # `/readyz` says that it cannot be written
            create_private_file(file)
    address = url.render_as_string(hide_password=False)
    try:
        # without hide_parameters, the text of an error would quote messages
        sessions = CheckedDatabaseSessions(address, connect_args=arguments, hide_parameters=True, **pool)
    except (ValueError, ImportError):  # not chained: the text contains the password
        raise SettingsError(
            f"conversations cannot be kept in {redacted_url(url)}: check DESK_SESSIONS_URL, or DESK_DATABASE_URL"
            f" if that is not set; PostgreSQL needs one more package: {install_command('postgres')}"
        ) from None
    return _limited(sessions, server)


def _limited(sessions: CheckedSessions, server: ServerSettings) -> CheckedSessions:
    sessions.max_sessions = server.sessions_per_user
    return sessions


async def delete_beside_session(artifacts: BaseArtifactService, user: str, session: str) -> None:
    """Deletes the files and the A2A tasks of a conversation, which nobody could find without the conversation."""
    await delete_artifacts(artifacts, SessionKey(APP_NAME, user, session))
    await research().ledger.delete_tasks(user, session)
