"""The command `desk`. What a command needs is imported inside it, so that `desk --help` is quick."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Coroutine
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

if TYPE_CHECKING:
    from tools.research.job import Job
    from tools.research.report import Report

app = typer.Typer(
    help="Research Desk: search, weather, moderation, and research that is never lost and never paid for twice.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
USER = "user"
CLI_SESSION = "command-line"
"""Researches of the command line belong to one session: the same brief again joins its job."""


class Format(StrEnum):
    """Files of a report."""

    md = "md"
    html = "html"
    json = "json"


@app.callback()
def main() -> None:
    """Reads `.env` of this folder or the nearest above it; the environment wins."""
    from dotenv import find_dotenv, load_dotenv

    load_dotenv(find_dotenv(usecwd=True))


@app.command()
def ask(
    text: Annotated[str, typer.Argument(help="What you want to say.")],
    session: Annotated[str, typer.Option(help="Name of a conversation to go on with (or to begin).")] = "",
) -> None:
    """Say one thing to the desk and see what it answers."""
    run(_ask(text, session or f"ask-{secrets.token_hex(4)}"))


@app.command()
def research(
    brief: Annotated[str, typer.Argument(help="What shall be researched, with wishes for the form.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder for the report.")] = Path("reports"),
    formats: Annotated[list[Format] | None, typer.Option("--format", help="May be repeated; default: all.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as one JSON line, progress to stderr.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Pay for a new run although there is one already.")] = False,
) -> None:
    """Research a topic. Stopped or killed, the same command picks the research up where it stands."""
    run(_research(brief, folder, [f.value for f in formats or list(Format)], as_json, again))


@app.command()
def jobs(
    all_users: Annotated[bool, typer.Option("--all", help="Of every user of the ledger.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """List researches, newest first."""
    run(_jobs(None if all_users else USER, as_json))


@app.command()
def check() -> None:
    """Check the configuration and show the agents that come out of it."""
    from tools.doctor import agent_tree

    try:
        out.print(agent_tree())
    except Exception as error:
        fail(error)


@app.command()
def doctor() -> None:
    """Show backend, keys, versions, ledger and services, and what is missing."""
    from tools.doctor import findings, table

    found = asyncio.run(findings())
    out.print(table(found))
    raise typer.Exit(int(any(not finding.good for finding in found)))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def emulator(context: typer.Context) -> None:
    """Run the Interactions emulator alone; options are those of `python -m interactions_emulator --help`."""
    from tools.settings import ROOT

    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "interactions_emulator", *context.args]
    os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": path})


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--out", help="Folder for the report.")] = Path("reports"),
) -> None:
    """Show everything once: small talk, weather, search, moderation, and a research with its report."""
    from tools.demo import run_demo

    run(run_demo(out, folder))


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a command; errors of the application become one line and exit status 1."""
    from tools.backend import BackendError
    from tools.research.client import ApiError
    from tools.research.service import UnknownJob
    from tools.settings import SettingsError

    try:
        asyncio.run(work)
    except (BackendError, SettingsError, ApiError, UnknownJob) as error:
        fail(error)
    except KeyboardInterrupt:
        err.print("\nStopped. A research that was started goes on; the same command picks it up.")
        raise typer.Exit(130) from None


def fail(error: Exception) -> NoReturn:
    """Ends with the error's own words."""
    err.print(f"[bold red]error:[/] {_escaped(str(error))}")
    raise typer.Exit(1)


async def _ask(text: str, session: str) -> None:
    from tools.application import build_app
    from tools.config import ConfigError
    from tools.conversation import new_runner, turn
    from tools.settings import load_settings

    try:
        runner = new_runner(build_app(), load_settings())
    except ConfigError as error:
        fail(error)
    async for event, said in turn(runner, text, user=USER, session=session):
        show(event.author, said, bool(event.partial))
    err.print(f"[dim]to go on: desk ask --session {session} …[/]")


def show(author: str, said: str, partial: bool) -> None:
    """An answer as Markdown on a terminal and as plain text elsewhere; progress as one dim line."""
    if partial:
        out.print(f"  [dim]{_escaped(said.strip())}[/]", soft_wrap=not out.is_terminal)
    elif out.is_terminal:
        from rich.markdown import Markdown

        out.print(f"[bold]{author}[/]")
        out.print(Markdown(said))
    else:
        out.print(f"[{author}]: {said}", markup=False, soft_wrap=True)


async def _research(brief: str, folder: Path, formats: list[str], as_json: bool, again: bool) -> None:
    from tools.research.job import TERMINAL, Order
    from tools.research.wiring import research as new_service

    agent, options = researcher_settings()
    service = new_service()
    order = Order(brief=brief, user=USER, session=CLI_SESSION, agent=agent, options=options)
    job, new = await service.start(order)
    if again and not new:
        job, new = await service.start_again(job), True
    if job.state in TERMINAL:
        err.print(f"{job.id} was this brief before ({job.state}); --again pays for a new run.")
    else:
        err.print(f"{job.id} {'started' if new else 'goes on'} ({job.order.agent})")
    await show_progress(service.watch(job.id))
    job = await service.job(job.id)
    report = await service.report(job.id)
    if as_json:
        typer.echo(_as_json(job, report))
    elif report:
        from tools.research.files import save

        for path in await asyncio.to_thread(save, report, folder / job.id, formats):
            out.print(str(path), soft_wrap=True, markup=False)
    if report is None:
        from tools.research.agent import outcome

        err.print(_escaped(outcome(job)), soft_wrap=True)
        raise typer.Exit(1)
    await service.close()


async def show_progress(lines: AsyncIterator[str]) -> None:
    """Lines as they come, with the time; on a terminal with a spinner below them."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        bar.add_task("researching")
        async for line in lines:
            (bar.console if err.is_terminal else err).print(f"  {_escaped(line)}", style="dim", soft_wrap=True)


def researcher_settings() -> tuple[str, dict[str, Any]]:
    """Agent and options of the researcher in the configuration, without loading the other agents."""
    import yaml

    from tools.config import config_files
    from tools.settings import load_settings

    for path in config_files(load_settings().config):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        if data.get("agent_class", "").endswith(".Researcher"):
            options = {key: data[key] for key in ("thinking_summaries", "visualization") if key in data}
            return data["agent"], options
    fail(LookupError(f"no researcher in {load_settings().config}"))


async def _jobs(user: str | None, as_json: bool) -> None:
    from rich.table import Table

    from tools.research.ledger import Ledger
    from tools.settings import load_settings

    ledger = Ledger(load_settings().ledger_url)
    found = await ledger.find(user=user)
    await ledger.close()
    if as_json:
        for job in found:
            typer.echo(_as_json(job, None))
        return
    table = Table("job", "state", "began", "took", "brief")
    for job in found:
        took = "" if job.seconds is None else f"{job.seconds:.0f} s"
        table.add_row(job.id, job.state, _time(job.created), took, _escaped(" ".join(job.order.brief.split())[:70]))
    out.print(table if found else 'No researches yet. Start one: desk research "…"')


def _as_json(job: Job, report: Report | None) -> str:
    import json

    from tools.research.report import to_json

    data = {
        "job": job.id,
        "state": job.state,
        "brief": job.order.brief,
        "agent": job.order.agent,
        "interaction_id": job.interaction_id,
        "created": _time(job.created),
        "seconds": job.seconds,
        "usage": job.usage,
        "error": job.error,
    }
    if report:
        data["report"] = json.loads(to_json(report))
    return json.dumps(data, ensure_ascii=False)


def _time(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
