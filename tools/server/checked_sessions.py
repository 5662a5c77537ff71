"""Session services that refuse or remove what clients must not write: state of all users, and data of the desk."""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

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
from tools.databases.shielded import shielded
from tools.moderation.gate import DECISION_KEY
from tools.privacy.interaction_deletion import REFUSED_KEY
from tools.privacy.plugin import FORGOTTEN_KEY
from tools.research.order import OUTSIDE_CONVERSATIONS
from tools.researcher.confirmation import AWAITS_INPUT_KEY, SHOWN_WHOLE_KEY
from tools.server.limits import MAX_NAME_CHARS, MAX_STATE_BYTES
from tools.server.middleware.idempotency import DIGEST_KEY, MESSAGE_KEY
from tools.server.middleware.rate_limit import RateLimited

_S = cast(Table, StorageSession.__table__)
PROTECTED_STATE = frozenset({REFUSED_KEY})
"""Names of session state that the desk trusts; only its agents may write it."""
PROTECTED_METADATA = frozenset(
    {MESSAGE_KEY, DIGEST_KEY, FORGOTTEN_KEY, DECISION_KEY, AWAITS_INPUT_KEY, SHOWN_WHOLE_KEY}
)
"""Keys of event metadata that the desk trusts; clients may not write them."""
ROW_BYTES = 500
"""Approximate bytes that the names and the indexes of a row take."""
FUNCTION_PARTS_REFUSED = (
    "a message has text and files: leave out functionCall and functionResponse, because only agents call tools"
)
"""Error for a client that sends a call or a result of a tool, with which ADK would continue an earlier turn."""
_without_events: ContextVar[bool] = ContextVar("without_events", default=False)
_FUNCTION_PARTS = ("functionCall", "function_call", "functionResponse", "function_response")


@contextmanager
def reads_without_events() -> Iterator[None]:
    """Reads conversations without their events within this block."""
    before = _without_events.set(True)
    try:
        yield
    finally:
        _without_events.reset(before)


def has_function_parts(message: Any) -> bool:
    """Whether the JSON of a message has a call or a result of a tool."""
    parts = message.get("parts") if isinstance(message, dict) else None
    return isinstance(parts, list) and any(
        isinstance(part, dict) and part.get(name) is not None for part in parts for name in _FUNCTION_PARTS
    )


def without_protected(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """A client's metadata without the keys in `PROTECTED_METADATA`; ADK removes its own keys in the same way."""
    return {name: value for name, value in (metadata or {}).items() if name not in PROTECTED_METADATA}


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
        _check(state, of_client=True)
        of_user = await self.get_user_state(app_name=app_name, user_id=user_id) if state else {}
        _check_size({State.USER_PREFIX + name: value for name, value in of_user.items()}, state)
        for name in (user_id, session_id or ""):
            if len(name) > MAX_NAME_CHARS or not name.isprintable():
                raise InputValidationError(
                    f"a name may have at most {MAX_NAME_CHARS} characters, all of them printable"
                )
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
        _check(event.actions.state_delta, of_client)
        if of_client and event.actions.state_delta:
            _check_size(session.state, event.actions.state_delta)
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
        newest = await self._is_newest_schema()
        columns = {
            "events": ("event_data",) if newest else ("actions", "content", "grounding_metadata", "custom_metadata"),
            "sessions": ("state",),
            "user_states": ("state",),
        }
        sums = [sum_of_bytes(self.db_engine.dialect, table, names) for table, names in columns.items()]
        query = text("SELECT " + " + ".join(f"({each} WHERE app_name = :app AND user_id = :user)" for each in sums))
        async with self.db_engine.connect() as connection:
            return int((await connection.execute(query, {"app": app_name, "user": user_id})).scalar_one())


def sum_of_bytes(dialect: Dialect, table: str, columns: Sequence[str]) -> str:
    """Returns a SELECT of the bytes of rows; callers add the condition. PostgreSQL counts compressed bytes."""
    size = "pg_column_size" if dialect.name == "postgresql" else "length"
    values = " + ".join(f"coalesce({size}({column}), 0)" for column in columns)
    return f"SELECT coalesce(sum({ROW_BYTES} + {values}), 0) FROM {table}"


def _check(state: Mapping[str, Any], of_client: bool) -> None:
    """Refuses state that ADK shares between all users, and state in `PROTECTED_STATE` that a client writes."""
    for name in state:
        if name.startswith(State.APP_PREFIX):
            raise InputValidationError(f"`{name}` would be state of all users: use another name")
        if of_client and name.rpartition(":")[2] in PROTECTED_STATE:
            raise InputValidationError(f"`{name}` may be written by the application only: leave it out")


def _check_size(state: Mapping[str, Any], delta: Mapping[str, Any]) -> None:
    """Refuses a change by which a state becomes larger than the limit, or grows beyond it."""
    after = len(json.dumps({**state, **delta}, default=str))
    if after > MAX_STATE_BYTES and after > len(json.dumps({**state}, default=str)):
        raise InputValidationError(
            f"the state of a conversation, with that of its user, may have at most {MAX_STATE_BYTES:,} bytes of JSON:"
            " save large data as a file"
        )
