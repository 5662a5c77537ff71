"""Entry point of the command `desk`. Ctrl-C ends it silently, even while modules are imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Imports and runs the command line."""
    try:
        from tools.cli.app import main as run_app

        run_app()
    except KeyboardInterrupt:
        sys.exit(130)
