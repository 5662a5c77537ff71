"""Entry point of the command `desk`. Ctrl-C ends it silently, even while modules are imported."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Imports and runs the command line. A closed input is an empty one, and closed output is written nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    try:
        from tools.cli.app import main as run_app

        run_app()
    except KeyboardInterrupt:
        sys.exit(130)
