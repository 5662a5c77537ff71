"""Shows the progress of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator

from tools.cli.terminal import err, print_indented


async def show_progress(lines: AsyncIterator[str]) -> None:
    """Prints lines as they come. On a terminal, also shows a spinner and the elapsed time below them."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        bar.add_task("researching")
        async for line in lines:
            print_indented(bar.console, line)
