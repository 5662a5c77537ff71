"""Names the command that installs an optional part of this package."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def install_command(extra: str) -> str:
    """Returns the command for the environment of this process, such as `.venv/bin/pip install 'research-desk[mcp]'`.

    Args:
        extra: the name of an optional dependency in `pyproject.toml`.
    """
    pip, folder = Path(sys.executable).with_name("pip"), Path.cwd()
    is_active = shutil.which("pip") == str(pip)
    # A path outside this folder is not named, because the text may be sent to another machine.
    is_here = pip.exists() and pip.is_relative_to(folder)
    shown = pip.relative_to(folder) if is_here and not is_active else "pip"
    return f"{shown} install 'research-desk[{extra}]'"
