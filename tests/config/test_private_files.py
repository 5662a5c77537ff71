"""Other users of the machine cannot read a person's data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

from tests.forks import run
from tools.adk.runner import local_services
from tools.board.local_server import opening_file
from tools.files.private_files import create_private_folder
from tools.interactions.local_emulator import index_file
from tools.server.sessions import new_sessions
from tools.server.settings import ServerSettings
from tools.settings import load_settings


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A folder that other users can read, in a process that lets them read new files."""
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    before = os.umask(0o022)
    yield folder
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_data_folder_is_closed_to_other_users_whoever_creates_it(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("command", "conversation", "page"):
        monkeypatch.setenv("DESK_DATA_DIR", str(shared / name / "data"))
        settings = load_settings()
        if name == "command":
            assert run("tools", "jobs").returncode == 0
            assert settings.ledger_file.exists()
        elif name == "conversation":
            local_services(settings)
        else:
            with opening_file(settings.data_dir, "http://127.0.0.1:1/"):
                pass
        assert (mode(settings.data_dir), mode(shared / name)) == (0o700, 0o700), name
    create_private_folder(shared)
    assert mode(shared) == 0o755  # somebody may share an existing folder on purpose


def test_an_existing_folder_that_others_can_read_gets_files_that_they_cannot(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_DATA_DIR", str(shared))
    settings = load_settings()
    assert run("tools", "jobs").returncode == 0
    local_services(settings)
    assert {path.name: mode(path) for path in shared.iterdir() if path.suffix == ".db"} == {
        "ledger.db": 0o600,
        "sessions.db": 0o600,
    }
    assert mode(shared / "artifacts") == 0o700
    (shared / "sessions.db").unlink()
    new_sessions(ServerSettings(), settings)
    assert mode(shared / "sessions.db") == 0o600
    (shared / "sessions.db").chmod(0o644)
    new_sessions(ServerSettings(), settings)
    assert mode(shared / "sessions.db") == 0o644  # shared on purpose
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    index = index_file(tmp_path)
    assert index and [mode(folder) for folder in (index.parent, index.parent.parent)] == [0o700] * 2


def test_doctor_names_a_data_folder_that_others_can_look_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_DATA_DIR", str(tmp_path))
    for wanted, warns in ((0o755, True), (0o700, False)):
        tmp_path.chmod(wanted)
        assert (f"chmod 700 {tmp_path}" in run("tools", "doctor").stdout) is warns
