"""Runs a command, and turns an error or Ctrl-C into one line and an exit status."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, NoReturn

import typer
from rich.markup import escape

from tools.cli.exit_status import ExitStatus
from tools.cli.terminal import err
from tools.errors import DeskError, advice_if_damaged, words_of
from tools.research.job_errors import NotFinished

RESEARCH_STOPPED = "Stopped. A run that was started continues: `desk jobs` lists it, `desk attach JOB` follows it."
"""Message after Ctrl-C, for commands that may have started or watched a research run."""


@dataclass
class Options:
    """Options that all commands have, and what Ctrl-C and a failed output name."""

    debug: bool = False
    job_id: str = ""
    """Id of the research run that the command started or follows."""


options = Options()
"""The options of this command line, and its research run."""


def run(work: Coroutine[Any, Any, None], stopped: str = "") -> None:
    """Runs a command. An error becomes one line and exit status 1; Ctrl-C prints `stopped`."""
    import asyncio
    from sqlite3 import Error as SQLiteError

    from sqlalchemy.exc import SQLAlchemyError

    options.job_id = ""
    threading.excepthook = _ignore_closed_loop
    try:
        asyncio.run(_closing(work))
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        raise  # typer ends the command; silently after a closed pipe, as in `desk jobs | head -1`
    except KeyboardInterrupt:
        work.close()
        if stopped:
            known = f"Stopped. {options.job_id} was not cancelled: {_come_back()}." if options.job_id else stopped
            err.print(f"\n{known}", soft_wrap=True)
        elif err.is_terminal:
            err.print()  # the terminal has written ^C
        raise typer.Exit(ExitStatus.INTERRUPTED) from None
    except NotFinished as error:
        fail(error, f"{error}; `desk status {error.job_id}` shows what is next" if error.job_id else "")
    except DeskError as error:
        fail(error)
    except (SQLAlchemyError, SQLiteError) as error:
        reason = str(error).splitlines()[0]
        fail(error, f"the database cannot be used ({reason}): `desk doctor` shows where it is")
    except OSError as error:
        fail(error, f"{output_words(error)}. {options.job_id} is kept: {_come_back()}" if options.job_id else "")
    except Exception as error:
        if type(error).__name__ == "StaleSessionError":  # of ADK, whose import takes a second
            fail(error, "another command writes in this conversation now: wait for its end, and say this again")
        if isinstance(error.__cause__, SQLiteError):  # ADK's sessions hide it, and their text names the file
            fail(error, f"{error}{advice_if_damaged(error.__cause__) or ': the file and its folder must be writable'}")
        fail(error, f"{type(error).__name__}: {error}. `desk --debug` before the command shows where.")


def _come_back() -> str:
    return f"`desk attach {options.job_id}` follows it and saves its report"


def output_words(error: OSError) -> str:
    """Words for an error of the system, which begin with "standard output" if nothing can be written there."""
    try:
        sys.stdout.flush()  # what could not be written is still in its buffer
    except OSError:
        return f"standard output: {words_of(error)}"
    return words_of(error)


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
    from tools.settings import SettingsError
    from tools.text.secret_redaction import redact

    text = text or (output_words(error) if isinstance(error, OSError) else str(error))
    if isinstance(error, SettingsError):
        text = with_places(text)
    if options.debug:
        err.print(redact("".join(traceback.format_exception(error))), markup=False)
    err.print(f"[bold red]error:[/] {escape(redact(text))}", soft_wrap=True)
    raise typer.Exit(status)
