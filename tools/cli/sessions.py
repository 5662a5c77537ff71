"""`desk sessions`: lists the conversations of `desk ask`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from tools.cli.command_run import run
from tools.cli.terminal import out, print_fields
from tools.research.order import LOCAL_USER
from tools.text.time_formats import to_second

if TYPE_CHECKING:
    from google.adk.sessions import Session

MAX_TITLE_CHARS = 60


def sessions() -> None:
    """List the conversations of `desk ask`, newest first."""
    run(_sessions())


async def _sessions() -> None:
    from rich.table import Table

    from tools.adk.runner import local_services
    from tools.app import APP_NAME
    from tools.settings import load_settings

    service, _ = local_services(load_settings())
    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column("session", overflow="fold", min_width=12)  # the id has to be whole: commands need it
    for name in ("last used", "events"):
        table.add_column(name, no_wrap=True)
    table.add_column("begins with", no_wrap=True, ratio=1)
    for known in reversed((await service.list_sessions(app_name=APP_NAME, user_id=LOCAL_USER)).sessions):
        session = await service.get_session(app_name=APP_NAME, user_id=LOCAL_USER, session_id=known.id)
        if session:
            used = to_second(session.last_update_time)
            row = session.id, used, str(len(session.events)), _title(session)
            table.add_row(*map(escape, row))
            if not out.is_terminal:
                print_fields(*row)
    if out.is_terminal:
        out.print(table if table.row_count else 'No conversations yet. Begin one: desk ask "…"')


def _title(session: Session) -> str:
    """The beginning of the user's first message."""
    from tools.adk.contents import lines_of

    contents = [event.content for event in session.events if event.author == "user" and event.content]
    return " ".join(lines_of(contents[0] if contents else None).split())[:MAX_TITLE_CHARS]
