"""A conversation with the desk, as tests have one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.apps import App
from google.adk.artifacts import InMemoryArtifactService
from google.adk.events import Event
from google.adk.runners import Runner
from google.adk.sessions import BaseSessionService, Session
from google.genai import types

from interactions_emulator import Emulator
from tools.adk.sessions.windowed_sessions import WindowedInMemorySessions, WindowedSqliteSessions, windowed_reads

USER = "ada"
CREATES = ("create", "create_stream")
"""The kinds of creates in the emulator's log."""


class Talk:
    """A conversation over one session."""

    def __init__(
        self,
        app: App,
        sessions: BaseSessionService | None = None,
        mode: StreamingMode = StreamingMode.NONE,
        session_id: str = "s1",
    ) -> None:
        self.sessions, self.session_id = sessions or WindowedInMemorySessions(), session_id
        self.artifacts = InMemoryArtifactService()
        self.runner = Runner(
            app=app, session_service=self.sessions, artifact_service=self.artifacts, auto_create_session=True
        )
        self.config = RunConfig(streaming_mode=mode)

    async def events(self, text: str, *files: types.Part) -> AsyncIterator[Event]:
        """Every event of a turn."""
        message = types.Content(role="user", parts=[types.Part(text=text), *files])
        async for event in self.runner.run_async(
            user_id=USER, session_id=self.session_id, new_message=message, run_config=self.config
        ):
            yield event

    async def say(self, text: str, *files: types.Part) -> list[Event]:
        """The complete events of a turn that have text."""
        with windowed_reads():
            return [e async for e in self.events(text, *files) if not e.partial and words(e)]

    async def ask(self, text: str, *files: types.Part) -> str:
        """The last text of a turn."""
        return words((await self.say(text, *files))[-1])

    async def session(self) -> Session:
        """The session as it is stored."""
        name = self.runner.app_name
        session = await self.sessions.get_session(app_name=name, user_id=USER, session_id=self.session_id)
        assert session
        return session


def words(event: Event) -> str:
    """The text of an event."""
    return "".join(part.text or "" for part in (event.content.parts if event.content else None) or [])


def text_of(step: dict[str, Any]) -> str:
    """The text of a step on the wire."""
    return "".join(part.get("text", "") for part in step.get("content", []))


def new_sessions(kind: str, folder: Path) -> BaseSessionService:
    """A session service: "memory" or "sqlite"."""
    return WindowedInMemorySessions() if kind == "memory" else WindowedSqliteSessions(str(folder / "sessions.db"))


def refusals(api: Emulator) -> list[Any]:
    """The requests that the server refused."""
    return [r for r in api.log()["requests"] if r["status"] >= 400]


def creates(api: Emulator) -> list[dict[str, Any]]:
    """The bodies of all creates, oldest first, also of those that were refused."""
    return [r["body"] for r in api.log(bodies=True)["requests"] if r["kind"] in CREATES]
