"""The command `desk`. Each subcommand imports what it needs when it runs, so that `desk --help` is quick."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from importlib.metadata import entry_points, version
from typing import Annotated

import typer

from tools.cli.approve import approve
from tools.cli.ask import ask
from tools.cli.attach import attach
from tools.cli.board import board
from tools.cli.cancel import cancel
from tools.cli.check import check
from tools.cli.command_run import fail, options, output_words
from tools.cli.demo import demo
from tools.cli.diff import diff
from tools.cli.doctor import doctor
from tools.cli.emulator import CONTEXT_SETTINGS, emulator
from tools.cli.env_file import read_env_file
from tools.cli.follow_up import follow_up
from tools.cli.forget import forget
from tools.cli.forget_session import forget_session
from tools.cli.help import Command, CommandGroups, show_help
from tools.cli.init import init
from tools.cli.interaction import interaction
from tools.cli.jobs import jobs
from tools.cli.mcp import mcp
from tools.cli.moderate import moderate
from tools.cli.notices import test_notice
from tools.cli.report import report
from tools.cli.research import research
from tools.cli.run_due import run_due
from tools.cli.schedule import schedule
from tools.cli.schedules import schedules
from tools.cli.serve import serve
from tools.cli.sessions import sessions
from tools.cli.spending import spending
from tools.cli.status import status
from tools.cli.verify import verify
from tools.cli.work import work
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


for command in (
    *(ask, sessions, forget_session, moderate),
    *(research, jobs, status, attach, approve, cancel, follow_up, report, verify, diff),
    *(schedule, schedules, run_due, forget, spending, interaction, board),
    *(test_notice, serve, work, mcp),
):
    app.command(cls=Command)(command)
for command in (demo, init, check, doctor):
    app.command()(command)
app.command(context_settings=CONTEXT_SETTINGS)(emulator)
for group in entry_points(group="desk.commands"):  # optional packages add commands, such as `desk eval`
    app.add_typer(group.load(), name=group.name)
app.command("help")(show_help)
