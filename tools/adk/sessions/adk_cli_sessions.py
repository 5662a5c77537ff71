"""Registers sessions for `adk web` and `adk run` in ADK's service registry; a turn reads only their newest events.

`agents/services.py` and `agents/desk/services.py`, which ADK loads, call `register`; people then start ADK with
`--session_service_uri windowed://`. Without it, ADK 2.13 chooses its own service, and offers no way to replace that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.adk.cli.service_registry import get_service_registry
from google.adk.sessions import Session
from google.adk.sessions.base_session_service import GetSessionConfig

from tools.adk.sessions.windowed_sessions import WindowedSqliteSessions, windowed_reads

SCHEME = "windowed"
_ALL_EVENTS = GetSessionConfig()


class AdkCliSessions(WindowedSqliteSessions):
    """The file in which ADK itself keeps the desk's conversations; a turn gets the newest events.

    Only ADK 2.13's runner passes `config=None` (`runners.py:992`); the pages of `adk web` omit the argument.
    """

    async def get_session(
        self,
        *,
        app_name: str,
        user_id: str,
        session_id: str,
        config: GetSessionConfig | None = _ALL_EVENTS,
    ) -> Session | None:
        with windowed_reads():
            return await super().get_session(app_name=app_name, user_id=user_id, session_id=session_id, config=config)


def register() -> None:
    """Registers `windowed://` as an address of sessions in `agents/desk/.adk/session.db`, ADK's own place."""
    get_service_registry().register_session_service(SCHEME, _open)


def _open(uri: str, **options: Any) -> AdkCliSessions:
    file = Path(options["agents_dir"]).resolve() / "desk" / ".adk" / "session.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    return AdkCliSessions(str(file))
