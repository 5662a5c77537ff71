"""The command that installs an optional part is one that works in the environment of this process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tools.extras import install_command


def test_the_command_uses_the_pip_of_this_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    assert install_command("mcp") == "pip install 'research-desk[mcp]'"  # an environment without pip
    (folder / "pip").touch(mode=0o755)
    assert install_command("mcp") == "pip install 'research-desk[mcp]'"  # names no path of this machine
    monkeypatch.chdir(tmp_path)
    assert install_command("mcp") == ".venv/bin/pip install 'research-desk[mcp]'"
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    assert install_command("mcp") == "pip install 'research-desk[mcp]'"
