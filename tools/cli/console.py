"""Helpers of all commands: run a command, show errors on one line, ask, show answers and progress."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from typing import Any, NoReturn

import typer
from rich.markup import escape

from tools.cli.terminal import can_ask, err, out
from tools.errors import DeskError

USER = "user"
STOPPED = "Stopped. A research run that was started goes on; the same command picks it up."


def run(work: Coroutine[Any, Any, None], stopped: str = STOPPED) -> None:
    """Runs a command. Errors of the application become one line and exit status 1; Ctrl-C prints `stopped`."""
    import asyncio

    from sqlalchemy.exc import SQLAlchemyError

    try:
        asyncio.run(_closing(work))
    except DeskError as error:
        fail(error)
    except SQLAlchemyError as error:
        fail(RuntimeError(f"the ledger cannot be used ({str(error).splitlines()[0]}): `desk doctor` shows where it is"))
    except KeyboardInterrupt:
        if stopped:
            err.print(f"\n{stopped}")
        raise typer.Exit(130) from None


async def _closing(work: Coroutine[Any, Any, None]) -> None:
    from tools.research.factory import close

    try:
        await work
    finally:  # also after Ctrl-C: saves the id of a run that is just being started
        await close()


def fail(error: Exception) -> NoReturn:
    """Prints the error's text and exits with status 1."""
    err.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
    raise typer.Exit(1)


def confirm(question: str, otherwise: str) -> None:
    """Asks a question, and ends the command without a yes.

    Args:
        otherwise: the next step to print if stdin is no terminal; the command ends there.
    """
    if not can_ask():
        fail(RuntimeError(f"nobody can be asked here, so nothing was done; {otherwise}"))
    typer.confirm(question, abort=True, err=True)


def show(author: str, said: str, partial: bool) -> None:
    """Prints an answer, as Markdown on a terminal and as plain text elsewhere; progress as one dim line."""
    if partial:
        out.print(f"  [dim]{escape(said.strip())}[/]", soft_wrap=not out.is_terminal)
    elif out.is_terminal:
        from rich.markdown import Markdown

        out.print(f"[bold]{author}[/]")
        out.print(Markdown(said))
    else:
        out.print(f"[{author}]: {said}", markup=False, soft_wrap=True)


async def show_progress(lines: AsyncIterator[str]) -> None:
    """Prints lines as they come; on a terminal with a spinner and the elapsed time below them."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        bar.add_task("researching")
        async for line in lines:
            bar.console.print(f"  {escape(line)}", style="dim", soft_wrap=not err.is_terminal)
