"""Sessions whose database calls end even if their caller is cancelled."""

from __future__ import annotations

from typing import Any

from google.adk.events import Event
from google.adk.sessions import BaseSessionService, Session
from google.adk.sessions.base_session_service import GetSessionConfig, ListSessionsResponse

from tools.databases.shielded import shielded


class ShieldedSessions(BaseSessionService):
    """Finishes each database call even if its caller is cancelled, for example when a client disconnects.

    ADK 2.13 cancels a statement half-way, and with it the rollback (docs/upstream/adk-cancelled-session-write.md).
    """

    @shielded
    async def create_session(
        self, *, app_name: str, user_id: str, state: dict[str, Any] | None = None, session_id: str | None = None
    ) -> Session:
        return await super().create_session(  # type: ignore[safe-super]
            app_name=app_name, user_id=user_id, state=state, session_id=session_id
        )

    @shielded
    async def get_session(
        self, *, app_name: str, user_id: str, session_id: str, config: GetSessionConfig | None = None
    ) -> Session | None:
        return await super().get_session(  # type: ignore[safe-super]
            app_name=app_name, user_id=user_id, session_id=session_id, config=config
        )

    @shielded
    async def list_sessions(self, *, app_name: str, user_id: str | None = None) -> ListSessionsResponse:
        return await super().list_sessions(app_name=app_name, user_id=user_id)  # type: ignore[safe-super]

    @shielded
    async def delete_session(self, app_name: str, user_id: str, session_id: str) -> None:
        await super().delete_session(app_name=app_name, user_id=user_id, session_id=session_id)  # type: ignore[safe-super]

    @shielded
    async def get_user_state(self, *, app_name: str, user_id: str) -> dict[str, Any]:
        return await super().get_user_state(app_name=app_name, user_id=user_id)

    @shielded
    async def append_event(self, session: Session, event: Event) -> Event:
        return await super().append_event(session, event)
