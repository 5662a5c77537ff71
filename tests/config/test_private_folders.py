"""Other users of the machine cannot read a person's data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.forks import run
from tools.adk.runner import local_services
from tools.board.local import opening_file
from tools.private_folder import create_private_folder
from tools.settings import load_settings


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_data_folder_is_closed_to_other_users_whoever_creates_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
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
    finally:
        os.umask(before)
    create_private_folder(shared)
    assert mode(shared) == 0o755  # somebody may share an existing folder on purpose
