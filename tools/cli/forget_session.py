"""`desk forget-session`: deletes a conversation with its files and research runs."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer
from rich.markup import escape

from tools.cli.command_run import run
from tools.cli.confirmation import confirm
from tools.cli.terminal import err, out
from tools.research.order import LOCAL_USER

DELETION_STOPPED = "Stopped. The same command continues the deletion."


def forget_session(
    session_id: Annotated[str, typer.Argument(metavar="SESSION", help="A conversation, as `desk sessions` shows it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete it without a question.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Delete it here even if the server keeps some of it.")] = False,
) -> None:
    """Delete a conversation with its files and research runs, here and at the server."""
    run(_forget(session_id, yes, force), DELETION_STOPPED)


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
        again = f"desk forget-session {shlex.quote(session_id)} --yes"
        confirm(question, f"to delete it without a question: {again}")
    services = Services(sessions, artifacts, research(), InteractionsClient(backend.transport), backend.server_name())
    receipt = await forget(services, SessionKey(APP_NAME, LOCAL_USER, session_id), force=force)
    for line in receipt.to_markdown().replace("**", "").splitlines():
        out.print(line, markup=False, soft_wrap=True)
    if not receipt.complete:
        again = "" if receipt.done else ", or with --force to delete the local data anyway"
        err.print(f"To try again: desk forget-session {escape(session_id)}{again}.", soft_wrap=True)
        raise typer.Exit(1)
