"""A wheel of the project works in a folder that has nothing of the repository."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interactions_emulator import Emulator
from tests.conftest import ROOT

pytestmark = pytest.mark.nightly
Desk = Callable[..., str]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel of a copy of the repository is installed, without its dependencies."""
    source, place = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.split(b"\0")
    for name in filter(None, map(os.fsdecode, files)):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "wheel", *options, "--wheel-dir", source / "dist", source], check=True)
    [wheel] = (source / "dist").glob("*.whl")
    subprocess.run([*pip, "install", *options, "--target", place, wheel], check=True)
    return place


@pytest.fixture
def desk(installed: Path, tmp_path: Path) -> Iterator[Desk]:
    """Runs a command of `desk` in an empty folder, as it is installed."""
    folder = tmp_path / "empty"
    folder.mkdir()
    with Emulator(speed=math.inf) as api:
        env = {
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            "HOME": str(tmp_path),
            "PYTHONPATH": str(installed),
            "GOOGLE_GEMINI_BASE_URL": api.url,
            "DESK_BACKEND": "emulator",
        }

        def run(*arguments: str) -> str:
            command = [sys.executable, "-m", "tools", *arguments]
            done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return done.stdout

        yield run


def test_commands_of_the_installed_wheel_work_in_an_empty_folder(desk: Desk, installed: Path) -> None:
    assert "researcher" in desk("check")
    assert desk("ask", "hello").strip()
    assert desk("research", "Python logging", "--format", "md").rstrip().endswith("report.md")
    assert "completed" in desk("jobs")
    assert "Evaluate the desk" in desk("eval", "--help")


def test_init_copies_the_agent_files_so_that_edits_take_effect(desk: Desk, tmp_path: Path) -> None:
    desk("init")
    root = tmp_path / "empty" / "configs" / "desk.yaml"
    root.write_text(root.read_text().replace("name: desk", "name: reception"))
    assert "reception" in desk("check")
