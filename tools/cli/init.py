"""`desk init`: copies the agents' YAML files for editing."""

from __future__ import annotations

import os
from pathlib import Path

from tools.cli.command_run import fail
from tools.cli.terminal import out


def init() -> None:
    """Copy the agents' YAML files to ./configs for editing; `desk` uses them when it runs in this folder."""
    import shutil

    from tools.settings import INSTALLED_CONFIGS

    folder = Path("configs")
    if os.path.lexists(folder):  # also a link that leads nowhere
        fail(FileExistsError(f"{folder.absolute()} exists already: move it away, or edit what is there"))
    try:
        shutil.copytree(INSTALLED_CONFIGS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    except OSError as error:
        fail(error, f"{folder.absolute()} cannot be written ({error.strerror or error}): choose another folder")
    out.print(f"{folder.absolute()} has the agents. Edit them; `desk check` shows the result.", soft_wrap=True)
