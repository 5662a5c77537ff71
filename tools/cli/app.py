"""The command `desk`. Each subcommand imports what it needs when it runs, so that `desk --help` is quick."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import shlex
import sys
import warnings
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from tools.cli import research, schedules, sessions
from tools.cli.arguments import DEFAULT_FOLDER, Folder, Text
from tools.cli.attachments import Attachments, read_attachments
from tools.cli.board import board
from tools.cli.command_run import RESEARCH_STOPPED, fail, options, output_words, run
from tools.cli.diff import diff
from tools.cli.env_file import read_env_file
from tools.cli.exit_status import ExitStatus
from tools.cli.help import Command, CommandGroups, show_help
from tools.cli.interaction import interaction
from tools.cli.mcp import mcp
from tools.cli.moderate import moderate
from tools.cli.notices import test_notice
from tools.cli.report import report
from tools.cli.serve import serve
from tools.cli.spending import spending
from tools.cli.terminal import err, out, print_fields, show
from tools.cli.verify import verify
from tools.cli.work import work
from tools.research.order import LOCAL_USER
from tools.settings import SettingsError

app = typer.Typer(
    cls=CommandGroups,
    help="Research Desk: search, weather, moderation, and research that is never lost and never paid for twice.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # markup would take half of the time of `desk --help`
)


def main() -> None:
    """Runs `desk`."""
    try:
        try:
            app(prog_name="desk")
        finally:
            sys.stdout.flush()
    except OSError as error:  # stdout cannot be written; without `dup2`, Python would fail again at its end
        words = output_words(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(ended := error.__context__, SystemExit) and ended.code:
            sys.exit(ended.code)  # the command has printed its error
        if not isinstance(error, BrokenPipeError):  # the reader of a pipe has closed it
            sys.exit(f"error: {words}")


def _checked_session(name: str) -> str:
    if not re.fullmatch(r"[\w .@'-]{0,100}", name) or name.startswith("."):
        raise typer.BadParameter("a name has letters, digits, spaces, and . @ ' - _ only")
    return name


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"desk {version('research-desk')}")
        raise typer.Exit


@app.callback()
def prepare(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, and logs.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Sets up logging, and reads the nearest `.env`, in this folder or above. Keeps variables that are set already."""
    options.debug = debug
    if debug:
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    else:  # without a handler, Python prints warnings with their tracebacks
        logging.getLogger().addHandler(logging.NullHandler())
        warnings.simplefilter("ignore", RuntimeWarning)  # Ctrl-C leaves coroutines unfinished
    try:
        read_env_file()
    except SettingsError as error:
        fail(error)


@app.command(cls=Command)
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


for command in (
    *research.COMMANDS,
    report,
    verify,
    diff,
    *schedules.COMMANDS,
    spending,
    interaction,
    *sessions.COMMANDS,
    moderate,
    test_notice,
    board,
    serve,
    work,
    mcp,
):
    app.command(cls=Command)(command)
for group in entry_points(group="desk.commands"):  # optional packages add commands, such as `desk eval`
    app.add_typer(group.load(), name=group.name)
app.command("help")(show_help)


@app.command()
def init() -> None:
    """Copy the agents' YAML files to ./configs for editing; `desk` uses them when it runs in this folder."""
    import shutil

    from tools.settings import INSTALLED_CONFIGS

    folder = Path("configs")
    if os.path.lexists(folder):  # also a link that leads nowhere
        fail(FileExistsError(f"{folder.absolute()} exists already: move it away, or edit what is there"))
    try:
        shutil.copytree(INSTALLED_CONFIGS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    except OSError as error:
        fail(error, f"{folder.absolute()} cannot be written ({error.strerror or error}): choose another folder")
    out.print(f"{folder.absolute()} has the agents. Edit them; `desk check` shows the result.", soft_wrap=True)


@app.command()
def check() -> None:
    """Check the configuration and show the agents that it defines."""
    from tools.cli.doctor import agent_tree, configuration_warnings, unusable_settings
    from tools.settings import load_settings

    try:
        out.print(f"Reading {load_settings().config.parent}", markup=False, soft_wrap=True)
        out.print(agent_tree())
        for warning in dict.fromkeys((*configuration_warnings(), *unusable_settings())):
            err.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    except Exception as error:
        fail(error)


@app.command()
def doctor() -> None:
    """Show backend, keys, versions, ledger and services, and what is missing."""
    import asyncio

    from tools.cli.doctor import WORDS, findings, table

    try:
        found = asyncio.run(findings())
    except KeyboardInterrupt:
        raise typer.Exit(ExitStatus.INTERRUPTED) from None
    if out.is_terminal:
        out.print(table(found))
    else:
        for finding in found:
            print_fields(WORDS[finding.good], finding.what, finding.value)
    raise typer.Exit(int(any(finding.good is False for finding in found)))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def emulator(context: typer.Context) -> None:
    """Run the emulator alone; `desk emulator --help` lists its options."""
    from tools.settings import ROOT

    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "interactions_emulator", *context.args]
    os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": path})


@app.command()
def demo(folder: Folder = None) -> None:
    """Show everything once: small talk, weather, search, moderation, and a research run with its report."""
    from tools.cli.demo import run_demo

    run(run_demo(out, folder or DEFAULT_FOLDER), RESEARCH_STOPPED)


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
