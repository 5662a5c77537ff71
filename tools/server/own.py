"""Conversations that keep to their user: what ADK's API lets a client write reaches into no other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.adk.errors.input_validation_error import InputValidationError
from google.adk.events import Event
from google.adk.events._internal_metadata import RESTORED_EVENT_KEY
from google.adk.sessions import BaseSessionService, Session, State

from tools.recent import RecentDatabaseSessions, RecentInMemorySessions


class _Own(BaseSessionService):
    async def create_session(
        self, *, app_name: str, user_id: str, state: dict[str, Any] | None = None, session_id: str | None = None
    ) -> Session:
        _check(state or {})
        return await super().create_session(  # type: ignore[safe-super]
            app_name=app_name, user_id=user_id, state=state, session_id=session_id
        )

    async def append_event(self, session: Session, event: Event) -> Event:
        _check(event.actions.state_delta)
        if (event.custom_metadata or {}).get(RESTORED_EVENT_KEY):
            event.interaction_id = None  # a client's word: the next turn would go on from anybody's interaction
        return await super().append_event(session, event)


class OwnInMemorySessions(_Own, RecentInMemorySessions):
    """Conversations in this process."""


class OwnDatabaseSessions(_Own, RecentDatabaseSessions):
    """Conversations in a database."""


def _check(state: Mapping[str, Any]) -> None:
    """Refuses what ADK would show in the conversations of all users; the desk itself writes none of it."""
    for name in state:
        if name.startswith(State.APP_PREFIX):
            raise InputValidationError(f"`{name}` would be state of all users")
