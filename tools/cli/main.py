"""Entry point of the command `desk`. Ctrl-C ends it without a message, even while modules are imported."""

from __future__ import annotations

import codecs
import io
import os
import sys


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encodes what an encoding lacks: the bytes of a file name that is not UTF-8 as they are, others as escapes."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.backslashreplace_errors(error)


def main() -> None:
    """Imports and runs the command line.

    A closed input is an empty one, and closed output is written nowhere. A character that the encoding of the output
    lacks is written as an escape, such as `\\u4e2d`.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error("escape", _escape)
        sys.stdout.reconfigure(errors="escape")
    try:
        from tools.cli.app import main as run_app

        run_app()
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            print(file=sys.stderr)  # the terminal has written ^C
        sys.exit(130)
