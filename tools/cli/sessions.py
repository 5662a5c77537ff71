"""The commands about conversations of `desk ask`: list all, and forget one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from tools.cli.command_run import run
from tools.cli.confirmation import confirm
from tools.cli.terminal import err, out, print_fields
from tools.research.order import LOCAL_USER
from tools.text.time_formats import to_second

if TYPE_CHECKING:
    from google.adk.sessions import Session

MAX_TITLE_CHARS = 60
DELETION_STOPPED = "Stopped. The same command continues the deletion."


def sessions() -> None:
    """List the conversations of `desk ask`, newest first."""
    run(_sessions())


def forget_session(
    session_id: Annotated[str, typer.Argument(metavar="SESSION", help="A conversation, as `desk sessions` shows it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete it without a question.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Delete it here even if the server keeps some of it.")] = False,
) -> None:
    """Delete a conversation with its files and research runs, here and at the server."""
    run(_forget(session_id, yes, force), DELETION_STOPPED)


COMMANDS = (sessions, forget_session)


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


async def _forget(session_id: str, yes: bool, force: bool) -> None:
    from tools.adk.runner import local_services
    from tools.app import APP_NAME
    from tools.interactions import backend
    from tools.privacy.erasure import Services, SessionKey, UnknownSession, forget
    from tools.research.api_client import InteractionsClient
    from tools.research.factory import research
    from tools.settings import load_settings

    sessions, artifacts = local_services(load_settings())
    if await sessions.get_session(app_name=APP_NAME, user_id=LOCAL_USER, session_id=session_id) is None:
        raise UnknownSession(f"there is no conversation {session_id}; `desk sessions` lists them")
    if not yes:
        question = f"Delete {session_id} with its files and research runs, here and at the server? It cannot be undone."
        confirm(question, f"desk forget-session {session_id} --yes")
    services = Services(sessions, artifacts, research(), InteractionsClient(backend.transport), backend.server_name())
    receipt = await forget(services, SessionKey(APP_NAME, LOCAL_USER, session_id), force=force)
    for line in receipt.to_markdown().replace("**", "").splitlines():
        out.print(line, markup=False, soft_wrap=True)
    if not receipt.complete:
        again = "" if receipt.done else ", or with --force to delete the local data anyway"
        err.print(f"To try again: desk forget-session {escape(session_id)}{again}.", soft_wrap=True)
        raise typer.Exit(1)
