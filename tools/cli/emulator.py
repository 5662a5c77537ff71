"""`desk emulator`: runs the emulator alone."""

from __future__ import annotations

import os
import sys

import typer

CONTEXT_SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Settings of typer: all options are those of the emulator."""


def emulator(context: typer.Context) -> None:
    """Run the emulator alone; `desk emulator --help` lists its options."""
    from tools.settings import ROOT

    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "interactions_emulator", *context.args]
    os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": path})
