"""`adk web` and `adk run` read only the newest events in a turn, by ADK's own service registry."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.adk.cli.service_registry import get_service_registry, load_services_module
from google.adk.cli.utils.local_storage import create_local_session_service
from google.adk.sessions import BaseSessionService

from interactions_emulator import Emulator
from tests.conftest import ROOT
from tests.forks import run
from tests.routing.test_conversation import brain as conversation
from tests.routing.test_windowed_sessions import MANY, small_talk
from tests.talk import Talk
from tools.adk.sessions.adk_cli_sessions import AdkCliSessions
from tools.app import build_app


@pytest.fixture
def api(use: Any) -> Iterator[Emulator]:
    with Emulator(brain=conversation) as server:
        use(server)
        yield server


@pytest.fixture(params=["agents", "agents/desk"])
def sessions(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseSessionService]:
    """The sessions of `windowed://`, as `adk web` and `adk run` make them."""
    sys.modules.pop("services", None)
    registry = get_service_registry()
    registry._session_factories.pop("windowed", None)
    load_services_module(str(ROOT / request.param))
    found = registry.create_session_service("windowed://", agents_dir=str(tmp_path))
    assert found
    yield found
    sys.path.remove(str(ROOT / request.param))
    sys.modules.pop("services", None)


async def test_a_turn_of_adk_s_runner_reads_the_newest_events_and_a_page_reads_all(
    sessions: AdkCliSessions,
    api: Emulator,
    tmp_path: Path,
) -> None:
    talk = Talk(build_app(), sessions)
    _ = [event async for event in talk.events("hello")]
    await small_talk(talk, MANY)
    lengths = list[int]()
    read = sessions.get_session

    async def watched(**arguments: object) -> object:
        session = await read(**arguments)  # type: ignore[arg-type]
        lengths.append(len(session.events) if session else 0)
        return session

    sessions.get_session = watched  # type: ignore[method-assign,assignment]
    _ = [event async for event in talk.events("hello")]
    assert lengths[0] <= MANY
    assert len((await talk.session()).events) == 4 + 2 * MANY
    plain = create_local_session_service(base_dir=tmp_path, per_agent=True)  # what ADK takes without the option
    name = {"app_name": "desk", "user_id": "ada", "session_id": "s1"}
    assert (await plain.get_session(**name)) == await talk.session()


def test_adk_run_keeps_a_conversation_in_windowed_sessions(
    api: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "agents", tmp_path / "agents", ignore=shutil.ignore_patterns(".adk"))
    folder = tmp_path / "agents" / "desk"
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = run("google.adk.cli", "run", "--session_service_uri", "windowed://", str(folder), "hello")
    assert "SMALL TALK" in done.stdout, done.stderr
    assert (folder / ".adk" / "session.db").exists()
