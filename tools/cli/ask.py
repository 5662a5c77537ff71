"""`desk ask`: says one thing to the desk, and shows its answer."""

from __future__ import annotations

import asyncio
import re
import secrets
import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from tools.cli.arguments import DEFAULT_FOLDER, Folder, Text
from tools.cli.attachments import Attachments, read_attachments
from tools.cli.command_run import RESEARCH_STOPPED, run
from tools.cli.exit_status import ExitStatus
from tools.cli.terminal import err, out, show
from tools.research.order import LOCAL_USER


def _checked_session(name: str) -> str:
    if not re.fullmatch(r"[\w .@'-]{0,100}", name) or name.startswith("."):
        raise typer.BadParameter("a name has letters, digits, spaces, and . @ ' - _ only")
    return name


def ask(
    text: Text,
    session: Annotated[
        str,
        typer.Option(
            callback=_checked_session, metavar="NAME", help="Name of a conversation to continue, or to begin."
        ),
    ] = "",
    files: Attachments = None,
    folder: Folder = None,
) -> None:
    """Say one thing to the desk and see what it answers."""
    run(_ask(text, session or f"ask-{secrets.token_hex(4)}", files or [], folder or DEFAULT_FOLDER), RESEARCH_STOPPED)


async def _ask(text: str, session: str, files: list[Path], folder: Path) -> None:
    attached = read_attachments(files)  # fails before the slow imports if a file is bad

    from google.genai.types import Part

    from tools.adk.runner import new_runner, run_turn, save_files
    from tools.adk.sessions.windowed_sessions import windowed_reads
    from tools.app import build_app
    from tools.interactions import backend
    from tools.research.notices.delivery import delivering
    from tools.settings import load_settings

    await asyncio.to_thread(backend.current)  # it may start the emulator, or say why no server can be used
    parts = [Part.from_bytes(data=data, mime_type=kind) for kind, data in attached]
    runner = new_runner(build_app(), load_settings())
    failed = False
    async with delivering():
        with windowed_reads():
            async for event, said in run_turn(runner, text, *parts, user=LOCAL_USER, session=session):
                failed = bool(event.error_code) if said else failed
                if said and failed:
                    err.print(f"[bold red]error:[/] {escape(said)}", soft_wrap=True)
                elif said:
                    show(event.author, said, bool(event.partial))
                for path in await save_files(runner, event, folder / session, user=LOCAL_USER, session=session):
                    out.print(str(path), soft_wrap=True, markup=False)
    if failed:
        raise typer.Exit(ExitStatus.FAILED)
    err.print(f"[dim]to continue: desk ask --session {escape(shlex.quote(session))} …[/]")
