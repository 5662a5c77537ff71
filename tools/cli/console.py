"""Helpers for all commands: run a command, show an error as one line, ask a question, show answers and progress."""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any, NoReturn

import typer
from rich.markup import escape

from tools.cli.exit_status import ExitStatus
from tools.cli.terminal import can_ask, err, out
from tools.errors import DeskError, damage, words_of
from tools.interactions.citations import short_marks
from tools.research.errors import NotFinished
from tools.research.job import LOCAL_USER

USER = LOCAL_USER
RESEARCH_STOPPED = "Stopped. A run that was started continues: `desk jobs` lists it, `desk attach JOB` follows it."
"""What Ctrl-C prints in commands that may have started or watched a research run."""


@dataclass
class Options:
    """Options that all commands have."""

    debug: bool = False


options = Options()
"""The options of this command line."""


def run(work: Coroutine[Any, Any, None], stopped: str = "") -> None:
    """Runs a command. An error becomes one line and exit status 1; Ctrl-C prints `stopped`."""
    import asyncio
    from sqlite3 import Error as SQLiteError

    from sqlalchemy.exc import SQLAlchemyError

    threading.excepthook = _ignore_closed_loop
    try:
        asyncio.run(_closing(work))
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        raise  # typer ends the command; silently after a closed pipe, as in `desk jobs | head -1`
    except KeyboardInterrupt:
        work.close()
        if stopped:
            err.print(f"\n{stopped}", soft_wrap=True)
        raise typer.Exit(ExitStatus.INTERRUPTED) from None
    except NotFinished as error:
        fail(error, f"{error}; `desk status {error.job_id}` shows what is next" if error.job_id else "")
    except DeskError as error:
        fail(error)
    except (SQLAlchemyError, SQLiteError) as error:
        reason = str(error).splitlines()[0]
        fail(error, f"the database cannot be used ({reason}): `desk doctor` shows where it is")
    except OSError as error:
        fail(error)
    except Exception as error:
        if type(error).__name__ == "StaleSessionError":  # of ADK, whose import takes a second
            fail(error, "another command writes in this conversation now: wait for its end, and say this again")
        if isinstance(error.__cause__, SQLiteError):  # ADK's sessions hide it, and their text names the file
            fail(error, f"{error}{damage(error.__cause__) or ': the file and its folder must be writable'}")
        fail(error, f"{type(error).__name__}: {error}. `desk --debug` before the command shows where.")


def _ignore_closed_loop(failure: threading.ExceptHookArgs) -> None:
    """Ignores the threads of aiosqlite 0.22, which report to the event loop even after Ctrl-C has closed it."""
    if not isinstance(failure.exc_value, RuntimeError) or "loop is closed" not in str(failure.exc_value):
        threading.__excepthook__(failure)


async def _closing(work: Coroutine[Any, Any, None]) -> None:
    from tools.research.factory import close

    try:
        await work
    finally:  # even after Ctrl-C, closing saves the id of a run that is being started
        await close()


def fail(error: Exception, text: str = "", status: ExitStatus = ExitStatus.FAILED) -> NoReturn:
    """Prints an error as one line and exits. With `--debug`, prints the traceback before that line.

    Args:
        text: the line to print; if empty, the error's text is printed.
    """
    from tools.cli.env_file import with_places
    from tools.redaction import redact
    from tools.settings import SettingsError

    text = text or (words_of(error) if isinstance(error, OSError) else str(error))
    if isinstance(error, SettingsError):
        text = with_places(text)
    if options.debug:
        err.print(redact("".join(traceback.format_exception(error))), markup=False)
    err.print(f"[bold red]error:[/] {escape(redact(text))}", soft_wrap=True)
    raise typer.Exit(status)


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


def show(author: str, said: str, partial: bool) -> None:
    """Prints an answer as rendered Markdown on a terminal and as plain text elsewhere, or progress as one dim line."""
    if partial:
        out.print(f"  [dim]{escape(said.strip())}[/]", soft_wrap=not out.is_terminal)
    elif out.is_terminal:
        out.print(f"[bold]{author}[/]")
        show_markdown(said)
    else:
        out.print(f"[{author}]: {short_marks(said)}", markup=False, soft_wrap=True)


def show_markdown(text: str) -> None:
    """Renders Markdown on a terminal. Elsewhere, prints its source with short citation marks."""
    if out.is_terminal:
        from rich.markdown import Markdown

        out.print(Markdown(text))
    else:
        out.print(short_marks(text), markup=False, soft_wrap=True)


async def show_progress(lines: AsyncIterator[str]) -> None:
    """Prints lines as they come. On a terminal, also shows a spinner and the elapsed time below them."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        bar.add_task("researching")
        async for line in lines:
            bar.console.print(f"  {escape(line)}", style="dim", soft_wrap=not err.is_terminal)
