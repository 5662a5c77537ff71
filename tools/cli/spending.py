"""`desk spending`: shows spending by day or month, user and agent, as a table, JSON or a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.padding import Padding

from tools.cli.arguments import writable_file
from tools.cli.command_run import fail, run
from tools.cli.spending_chart import chart
from tools.cli.spending_rows import FORMATS, By, Row, table, total
from tools.cli.terminal import Terminal, err, out, print_fields, print_json
from tools.extras import install_command
from tools.files.atomic_file import write_whole
from tools.research.spending import EMULATOR
from tools.text.unsafe_characters import sanitize_json

FIXED_COLUMNS_WIDTH = 74
"""Width of the table without its user column, in characters."""
_UNPAID = "[dim]Nothing is paid on the emulator: it shows the prices of Gemini.[/]"


def spending(
    by: Annotated[By, typer.Option(help="The period of a row.")] = By.day,
    since: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Only from this day on (UTC).")] = "",
    user: Annotated[str | None, typer.Option(metavar="USER", help="Only what this user spent.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--svg", callback=writable_file, metavar="FILE", help="Draw a chart too, with a bar for each day or month."
        ),
    ] = None,
) -> None:
    """Show what was spent, by day or month, user and agent: estimates, and what the server counted."""
    run(_spending(by, since, user, as_json, picture))


def show_table(rows: Sequence[Row], by: By, terminal: Terminal) -> None:
    """Prints a line for each row, and the total of each server."""
    from rich.table import Table

    users, servers = len({row.user for row in rows}) > 1, sorted({row.server for row in rows})
    totals = [total([row for row in rows if row.server == server]) for server in servers]
    if terminal.width < FIXED_COLUMNS_WIDTH:
        _show_blocks([*rows, *totals], users, terminal)
        return
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column(f"{by} (UTC)", no_wrap=True)
    if users:
        shown.add_column("user", overflow="fold", max_width=max(7, terminal.width - FIXED_COLUMNS_WIDTH))
    shown.add_column("agent", overflow="fold")
    if len(servers) > 1:
        shown.add_column("server", overflow="fold")
    shown.add_column("ordered")
    shown.add_column("at most", justify="right", no_wrap=True)
    shown.add_column("server counted", overflow="fold")
    for row in (*rows, *totals):
        day, user, agent, server, *rest = _cells(row)
        names = [*([user] if users else []), agent, *([server] if len(servers) > 1 else [])]
        shown.add_row(day, *names, *rest, style="bold" if row.period == "total" else "")
    terminal.print(shown)
    if EMULATOR in servers:
        terminal.print(_UNPAID)


def _show_blocks(rows: Sequence[Row], users: bool, terminal: Terminal) -> None:
    """Prints a short block of lines for each row, for windows that are too narrow for a table."""
    for row in rows:
        day, user, agent, server, ordered, price, counted = _cells(row)
        names = [day, *([user] if users and user else []), server]
        terminal.print(f"[bold]{' · '.join(names)}[/]")
        for line in (agent.replace("\n", "-"), f"at most {price}: {', '.join(ordered.splitlines())}", counted):
            if line:
                terminal.print(Padding(", ".join(line.splitlines()), (0, 0, 0, 2)))
    if any(row.server == EMULATOR for row in rows):
        terminal.print(_UNPAID)


def _fields(row: Row) -> Iterator[str]:
    """Yields the fields of `Row` up to `tokens`, for other programs."""
    yield from (row.period, row.user, row.agent, row.server)
    yield from map(str, (row.runs, row.plans, row.revisions, row.questions, f"{row.usd_at_most:.2f}", row.tokens))


async def _spending(by: By, since: str, user: str | None, as_json: bool, picture: Path | None) -> None:
    from tools.research.ledger import Ledger
    from tools.settings import load_settings

    start = _start(since)
    ledger = Ledger(load_settings().ledger_url)
    try:
        rows = table(await ledger.spending(since=start, user=user), by)
    finally:
        await ledger.close()
    if as_json:
        for row in rows:
            print_json(_as_data(row))
    if not rows:
        narrow = since or user is not None
        hint = "Nothing was spent there: leave out --since and --user to see all."
        err.print(hint if narrow else 'Nothing was spent yet. Start with: desk research "…"')
        return
    if not as_json and out.is_terminal:
        show_table(rows, by, out)
    elif not as_json:
        for row in rows:
            print_fields(*_fields(row))
    if picture:
        _draw(rows, by, picture)


def _start(since: str) -> float:
    """Returns the start of a day (UTC) in seconds since the epoch; 0 if no day is given."""
    if not since:
        return 0
    try:
        return datetime.strptime(since, FORMATS[By.day]).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise typer.BadParameter(f"--since {since}: it has to be a day like 2026-10-31") from None


def _as_data(row: Row) -> dict[str, Any]:
    data: dict[str, Any] = sanitize_json({**asdict(row), "tools": dict(row.tools)})
    return data | {"usd_at_most": round(row.usd_at_most, 2)}


def _cells(row: Row) -> list[str]:
    ordered = {"run": row.runs, "plan": row.plans, "revision": row.revisions, "question": row.questions}
    tools = [f"{count:,} {name}" for name, count in row.tools.items()]
    all_ordered = sum(ordered.values())
    of = [f"({row.counted} of {all_ordered})"] if row.counted < all_ordered else []
    tokens = f"{row.tokens:,}" if row.tokens < 10_000 else f"{row.tokens / 1000:,.0f}k"
    counted = "\n".join([f"{tokens} tokens", *tools, *of])
    return [
        row.period,
        escape(" ".join(row.user.split())),
        escape(" ".join(row.agent.split()).replace("-preview-", "\npreview-")),
        escape(" ".join(row.server.split())),
        "\n".join(f"{count} {name}{'s' if count > 1 else ''}" for name, count in ordered.items() if count),
        f"${row.usd_at_most:,.2f}",
        escape(counted) if row.counted else "",
    ]


def _draw(rows: Sequence[Row], by: By, file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, chart(rows, by))
    except OSError as error:
        fail(OSError(f"{file}: {error.strerror}: give --svg a file that can be written"))
    except ModuleNotFoundError as error:
        fail(RuntimeError(f"--svg needs {error.name}: {install_command('charts')}"))
    err.print(f"{file}", markup=False, soft_wrap=True)
