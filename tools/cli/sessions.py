"""`desk sessions`: lists the conversations of `desk ask`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from tools.cli.command_run import run
from tools.cli.job_data import ago
from tools.cli.terminal import NARROW_WIDTH, out, print_fields, print_json
from tools.research.order import LOCAL_USER
from tools.text.time_formats import iso, to_second

if TYPE_CHECKING:
    from google.adk.sessions import Session

MAX_TITLE_CHARS = 60


def sessions(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """List the conversations of `desk ask`, newest first."""
    run(_sessions(as_json))


async def _sessions(as_json: bool) -> None:
    from rich.table import Table

    from tools.adk.runner import local_services
    from tools.app import APP_NAME
    from tools.settings import load_settings

    now, (service, _) = time.time(), local_services(load_settings())
    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column("session", overflow="fold", min_width=12)  # the id has to be whole: commands need it
    for name in ("last used", "events"):
        table.add_column(name, no_wrap=True)
    table.add_column("begins with", no_wrap=True, ratio=1)
    for known in reversed((await service.list_sessions(app_name=APP_NAME, user_id=LOCAL_USER)).sessions):
        session = await service.get_session(app_name=APP_NAME, user_id=LOCAL_USER, session_id=known.id)
        if session:
            used, events, title = session.last_update_time, len(session.events), _title(session)
            if as_json:
                print_json({"session": session.id, "last_used": iso(used), "events": events, "begins_with": title})
            elif out.is_terminal:
                narrow = out.width < NARROW_WIDTH
                table.add_row(escape(session.id), ago(now - used, short=narrow), str(events), escape(title))
            else:
                print_fields(session.id, to_second(used), str(events), title)
    if out.is_terminal and not as_json:
        out.print(table if table.row_count else 'No conversations yet. Begin one: desk ask "…"')


def _title(session: Session) -> str:
    """The beginning of the user's first message."""
    from tools.adk.contents import lines_of

    contents = [event.content for event in session.events if event.author == "user" and event.content]
    return " ".join(lines_of(contents[0] if contents else None).split())[:MAX_TITLE_CHARS]
