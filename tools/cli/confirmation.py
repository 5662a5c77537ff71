"""Asks a person on the command line for a yes."""

from __future__ import annotations

import signal

import typer

from tools.cli.command_run import fail
from tools.cli.exit_status import ExitStatus
from tools.cli.terminal import can_ask, err


def confirm(question: str, otherwise: str) -> None:
    """Asks a question, and ends the command unless the answer is yes. Ctrl-C and Ctrl-D are a no.

    Args:
        otherwise: what to do instead. The error names it if nobody can answer, because stdin is not a terminal.
    """
    if not can_ask():
        fail(RuntimeError(f"nobody can be asked here, so nothing was done; {otherwise}"))
    # The event loop's own handler only cancels its task, and this does not end a wait for standard input.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    status = ExitStatus.FAILED
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort as end:
        agreed = False
        status = ExitStatus.INTERRUPTED if isinstance(end.__context__, KeyboardInterrupt) else status
        err.print()  # ends the line of the question
    finally:
        signal.signal(signal.SIGINT, before)
    if not agreed:
        err.print("Nothing was done.")
        raise typer.Exit(status)
