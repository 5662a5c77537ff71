"""`desk doctor`: shows the configuration in use, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tools.cli.exit_status import ExitStatus
from tools.cli.terminal import out, print_fields, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from tools.cli.doctor_checks import Finding


def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False) -> None:
    """Show backend, keys, versions, ledger and services, and what is missing."""
    import asyncio

    from tools.cli.doctor_checks import findings

    try:
        found = asyncio.run(findings())
    except KeyboardInterrupt:
        raise typer.Exit(ExitStatus.INTERRUPTED) from None
    if as_json:
        for finding in found:
            print_json({"what": finding.what, "result": WORDS[finding.good], "value": finding.value})
    elif out.is_terminal:
        out.print(table(found))
    else:
        for finding in found:
            print_fields(WORDS[finding.good], finding.what, finding.value)
    raise typer.Exit(int(any(finding.good is False for finding in found)))


WORDS = {True: "ok", False: "FAILED", None: "warning"}
MARKS = {True: "[green]✓[/]", False: "[bold red]✗[/]", None: "[yellow]![/]"}
"""The marks before a good and a bad finding: in a pipe, and on a terminal."""


def table(found: list[Finding]) -> Table:
    """The findings as a table for a terminal."""
    from rich.table import Table

    shown = Table(show_header=False, box=None, padding=(0, 1))
    for _ in range(3):
        shown.add_column(overflow="fold")  # a path has to be whole
    for finding in found:
        shown.add_row(MARKS[finding.good], finding.what, finding.value.replace("[", r"\["))
    return shown
