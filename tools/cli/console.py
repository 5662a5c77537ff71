"""What all commands share: the terminal, errors as one line, answers and progress."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from typing import Any, NoReturn

import typer
from rich.markup import escape

from tools.cli.terminal import can_ask, err, out
from tools.errors import DeskError

USER = "user"
STOPPED = "Stopped. A research that was started goes on; the same command picks it up."


def run(work: Coroutine[Any, Any, None], stopped: str = STOPPED) -> None:
    """Runs a command; errors of the application become one line and exit status 1, Ctrl-C says `stopped`."""
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
    finally:  # also after Ctrl-C: the id of a research that is just being started is still written down
        await close()


def fail(error: Exception) -> NoReturn:
    """Ends with the error's own words."""
    err.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
    raise typer.Exit(1)


def confirm(question: str, otherwise: str) -> None:
    """Asks, and ends the command without a yes.

    Args:
        otherwise: the next step where nobody can be asked; ends the command there.
    """
    if not can_ask():
        fail(RuntimeError(f"nobody can be asked here, so nothing was done; {otherwise}"))
    typer.confirm(question, abort=True, err=True)


def show(author: str, said: str, partial: bool) -> None:
    """An answer as Markdown on a terminal and as plain text elsewhere; progress as one dim line."""
    if partial:
        out.print(f"  [dim]{escape(said.strip())}[/]", soft_wrap=not out.is_terminal)
    elif out.is_terminal:
        from rich.markdown import Markdown

        out.print(f"[bold]{author}[/]")
        out.print(Markdown(said))
    else:
        out.print(f"[{author}]: {said}", markup=False, soft_wrap=True)


async def show_progress(lines: AsyncIterator[str]) -> None:
    """Lines as they come, with the time; on a terminal with a spinner below them."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        bar.add_task("researching")
        async for line in lines:
            bar.console.print(f"  {escape(line)}", style="dim", soft_wrap=not err.is_terminal)
