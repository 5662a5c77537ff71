"""Runs turns of a conversation outside `adk web` and `adk run`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from google.adk.apps import App
from google.adk.artifacts import FileArtifactService
from google.adk.events import Event
from google.adk.runners import Runner
from google.genai import types

from tools.adk.contents import text_of
from tools.adk.sessions.windowed_sessions import WindowedSqliteSessions
from tools.files.atomic_file import write_whole
from tools.files.private_files import create_private_file, create_private_folder
from tools.settings import Settings


def new_runner(app: App, settings: Settings) -> Runner:
    """Makes a runner that keeps sessions and artifacts in the data folder."""
    sessions, artifacts = local_services(settings)
    return Runner(app=app, session_service=sessions, artifact_service=artifacts, auto_create_session=True)


def local_services(settings: Settings) -> tuple[WindowedSqliteSessions, FileArtifactService]:
    """Opens the sessions and artifacts in the data folder."""
    file, artifacts = settings.data_dir / "sessions.db", settings.data_dir / "artifacts"
    create_private_folder(artifacts)
    create_private_file(file)
    return WindowedSqliteSessions(str(file)), FileArtifactService(str(artifacts))


async def run_turn(
    runner: Runner, text: str, *files: types.Part, user: str, session: str
) -> AsyncIterator[tuple[Event, str]]:
    """Runs one turn. Yields each event that has text or files, and the text. A partial event is only progress."""
    message = types.Content(role="user", parts=[types.Part(text=text), *files])
    async for event in runner.run_async(user_id=user, session_id=session, new_message=message):
        said = text_of(event.content, thoughts=bool(event.partial))
        if said.strip() or event.actions.artifact_delta:
            yield event, said


async def save_files(runner: Runner, event: Event, folder: Path, *, user: str, session: str) -> list[Path]:
    """Writes the files of an event into `folder`; returns their paths.

    Raises:
        OSError: a file cannot be written.
    """
    store, saved = runner.artifact_service, list[Path]()
    if store is None:
        return saved
    for name, version in event.actions.artifact_delta.items():
        part = await store.load_artifact(
            app_name=runner.app_name, user_id=user, session_id=session, filename=name, version=version
        )
        if part and part.inline_data and part.inline_data.data is not None:
            path = folder / Path(name).name
            await asyncio.to_thread(_write, path, part.inline_data.data)
            saved.append(path)
    return saved


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)
