"""The commands about research runs: start, list, watch, approve, cancel, ask about, save, forget."""

from __future__ import annotations

import base64
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from tools.cli.arguments import (
    DEFAULT_FOLDER,
    AsJson,
    Attachments,
    Folder,
    Text,
    read_attachments,
    read_text,
)
from tools.cli.console import RESEARCH_STOPPED, USER, confirm, fail, run, show_markdown, show_progress
from tools.cli.exit_status import ExitStatus
from tools.cli.job_output import as_data, show_job, show_jobs
from tools.cli.price import confirm_price, quote
from tools.cli.terminal import can_ask, err, out
from tools.errors import DeskError

if TYPE_CHECKING:
    from tools.research.config import ResearchSettings
    from tools.research.job import Job
    from tools.research.report.reading import Report
    from tools.research.service import Research


class Format(StrEnum):
    """Formats in which a report is saved."""

    md = "md"
    html = "html"
    json = "json"


JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of a research run, as `desk jobs` shows it.")]
Formats = Annotated[list[Format] | None, typer.Option("--format", help="A format; may be repeated; default: all.")]


def research(
    brief: Annotated[
        str,
        typer.Argument(
            callback=read_text, metavar="BRIEF", help="What to research, and in which form; - reads standard input."
        ),
    ],
    folder: Folder = None,
    formats: Formats = None,
    as_json: AsJson = False,
    files: Attachments = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show a plan first, and wait for `desk approve`.")] = False,
    use_max: Annotated[bool, typer.Option("--max", help="Use Deep Research Max, after a yes to its price.")] = False,
    yes_up_to: Annotated[
        float | None,
        typer.Option(
            metavar="USD",
            min=0,
            show_default="on a terminal 0, in scripts and on the emulator the upper price of a standard run",
            help="Start a run without a question if it costs at most this much.",
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Pay for a new run although there is one already.")] = False,
    base: Annotated[str, typer.Option("--from", metavar="JOB", help="Build on a finished research run.")] = "",
) -> None:
    """Research a topic, and save the report. The same command continues a run that was stopped or killed."""
    run(
        _research(brief, files or [], plan, use_max, yes_up_to, again, base, _Output(folder, _names(formats), as_json)),
        RESEARCH_STOPPED,
    )


def jobs(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show the whole ledger, kept up to date.")] = False,
) -> None:
    """List research runs, newest first."""
    if watch and (as_json or not out.is_terminal):
        raise typer.BadParameter("--watch needs a terminal, and no --json: leave it out to list the runs once")
    run(_watch() if watch else _jobs(as_json))


def status(job_id: JobId, as_json: AsJson = False) -> None:
    """Show the state of a research run, from the ledger."""
    run(_status(job_id, as_json))


def attach(job_id: JobId, folder: Folder = None, formats: Formats = None, as_json: AsJson = False) -> None:
    """Watch a research run to its end and save its report."""
    run(_attach(job_id, _Output(folder, _names(formats), as_json)), RESEARCH_STOPPED)


def approve(
    job_id: JobId,
    changes: Annotated[
        str | None, typer.Option("--changes", callback=read_text, help="What to change in the plan; - reads stdin.")
    ] = None,
    folder: Folder = None,
    formats: Formats = None,
    as_json: AsJson = False,
) -> None:
    """Say yes to a plan or a price, or ask for another plan."""
    run(_approve(job_id, changes, _Output(folder, _names(formats), as_json)), RESEARCH_STOPPED)


def cancel(job_id: JobId) -> None:
    """Cancel a research run, here and at the server."""
    run(_cancel(job_id))


def follow_up(job_id: JobId, question: Text) -> None:
    """Ask a model about a finished report."""
    run(_follow_up(job_id, question))


def report(
    job_id: JobId,
    folder: Folder = None,
    formats: Formats = None,
    resolve_links: Annotated[
        bool, typer.Option("--resolve-links", help="Ask Google where its redirect links lead, and keep the answers.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the report instead of saving it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Save the report of a finished research run again, or show it."""
    if show and as_json:
        raise typer.BadParameter("--show prints Markdown: leave out --json, or --show")
    run(_report(job_id, resolve_links, show, _Output(folder, _names(formats), as_json)))


def forget(
    job_id: JobId,
    yes: Annotated[bool, typer.Option("--yes", help="Delete it without a question.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Delete it here even if a server keeps some of it.")] = False,
) -> None:
    """Delete a research run, its report and its interactions, and show what was deleted."""
    run(_forget(job_id, yes, force))


COMMANDS = (research, jobs, status, attach, approve, cancel, follow_up, report, forget)


class NotWaiting(DeskError):
    """The run is not waiting for a yes."""


class _Output:
    """Saves or prints the result of a job."""

    def __init__(self, folder: Path | None, formats: list[str], as_json: bool) -> None:
        """With `as_json`, files are saved only if a folder is named."""
        self.folder = folder or (None if as_json else DEFAULT_FOLDER)
        self.formats, self.as_json = formats, as_json

    async def show(self, service: Research, job_id: str) -> None:
        """Watches a job to its end, then saves or prints its result.

        Exits with status 1 if there is no report, and no plan or price that waits for a yes.
        """
        from tools.research.job import State
        from tools.researcher.messages import CLI_STEPS, outcome

        await show_progress(service.watch(job_id))
        job, found = await service.job(job_id), await service.report(job_id)
        saved = await self.save(job, found) if found else []
        if self.as_json:
            self.print_json(job, found, saved)
        if job.state is State.AWAITING_APPROVAL:
            text = job.plan.text if job.plan else await quote(service, job.order)
            if self.as_json:
                err.print(text, markup=False, soft_wrap=True)
            else:
                show_markdown(text)
            changes = ", or with --changes “…”" if job.plan else ""
            err.print(f"To start it: desk approve {job.id}{changes}; to drop it: desk cancel {job.id}", soft_wrap=True)
        elif found is None:
            err.print(escape(outcome(job, CLI_STEPS)), soft_wrap=True)
            raise typer.Exit(ExitStatus.FAILED)

    def print_json(self, job: Job, found: Report | None, saved: list[Path]) -> None:
        """Prints a job with its report and the paths of its files."""
        files = {"files": [str(path) for path in saved]} if saved else {}
        typer.echo(json.dumps(as_data(job, found) | files, ensure_ascii=False))

    async def save(self, job: Job, found: Report) -> list[Path]:
        """Writes the report's files and returns their paths. Prints the paths too, unless `as_json` is set."""
        from tools.research.report.export import save_with_sources

        if self.folder is None:
            return []
        try:
            paths = await save_with_sources(found, self.folder / job.id, self.formats)
        except OSError as error:
            kept = f"The report is kept: desk report {job.id} --out DIR"
            fail(error, f"{error.filename or self.folder}: {error.strerror or error}. {kept}")
        if not self.as_json:
            for path in paths:
                out.print(str(path), soft_wrap=True, markup=False)
        return paths


async def _research(
    brief: str,
    files: list[Path],
    plan: bool,
    use_max: bool,
    yes_up_to: float | None,
    again: bool,
    base: str,
    output: _Output,
) -> None:
    from tools.research.job import OUTSIDE_CONVERSATIONS, TERMINAL, State
    from tools.research.pricing import price_range

    settings, service = _settings(), _service()
    if use_max and not settings.max_agent:
        raise typer.BadParameter("--max: the researcher's YAML has no `max_agent`; leave --max out for a standard run")
    inputs = _contents(files)
    order = settings.order(brief, user=USER, session=OUTSIDE_CONVERSATIONS, inputs=inputs, use_max=use_max, plan=plan)
    if base:
        order = await service.with_base(base, order)
    up_to = _price_without_question(settings) if yes_up_to is None else yes_up_to
    # Nothing is asked if the order joins a run. If that run is deleted meanwhile, the new run waits for a yes.
    must_confirm = not await confirm_price(service, order, up_to, again)
    job, new = await service.start(order, limits=settings.limits, confirm=must_confirm)
    if again and not new:
        known, job = job, await service.start_again(job, limits=settings.limits, confirm=must_confirm)
        new = job.id != known.id
    if job.state in TERMINAL:
        err.print(f"{job.id} had this brief before ({job.state}); --again pays for a new run.")
    elif job.state is not State.AWAITING_APPROVAL:
        builds = f", building on {job.order.base}" if job.order.base else ""
        how = f"{job.order.agent}, on {job.order.server}"
        price = f", {price_range(job.order.agent)}" if new else ""
        err.print(f"{job.id} {'started' if new else 'continues'}{builds} ({how}{price})", soft_wrap=True)
    await output.show(service, job.id)


def _price_without_question(settings: ResearchSettings) -> float:
    """The price in USD up to which nothing is asked: that of a standard run in scripts and on the emulator, else 0."""
    from tools.interactions import backend
    from tools.research.pricing import cost_of

    return 0.0 if can_ask() and backend.current().kind != "emulator" else cost_of(settings.agent)[1]


def _contents(files: list[Path]) -> list[dict[str, Any]]:
    """Files as input contents of the Interactions API."""
    found = list[dict[str, Any]]()
    for file, (kind, data) in zip(files, read_attachments(files), strict=True):
        if not kind.startswith(("image/", "text/")) and kind != "application/pdf":
            raise typer.BadParameter(f"{file}: a research run takes pictures, PDF and text, not {kind}")
        type_ = "image" if kind.startswith("image/") else "document"
        found.append({"type": type_, "mime_type": kind, "data": base64.b64encode(data).decode()})
    return found


async def _watch() -> None:
    from tools.cli.jobs_board import watch
    from tools.research.ledger import Ledger
    from tools.settings import load_settings

    ledger = Ledger(load_settings().ledger_url)
    try:
        await watch(ledger)
    finally:
        await ledger.close()


async def _jobs(as_json: bool) -> None:
    from tools.research.ledger import Ledger
    from tools.settings import load_settings

    ledger = Ledger(load_settings().ledger_url)
    found = await ledger.find()
    await ledger.close()
    show_jobs(found, as_json)


async def _status(job_id: str, as_json: bool) -> None:
    service = _service()
    job = await service.job(job_id)
    entries = await service.ledger.spending(user=job.order.user)
    show_job(job, as_json, sum(entry.estimate for entry in entries if entry.job == job.id))


async def _attach(job_id: str, output: _Output) -> None:
    from tools.research.job import State

    service = _service()
    job = await service.job(job_id)
    if job.state is State.INTENDED:  # watching sends an unsent job, and the server has to store its run
        _settings()
    await output.show(service, job.id)


async def _approve(job_id: str, changes: str | None, output: _Output) -> None:
    from tools.research.job import TERMINAL
    from tools.research.texts import state

    limits, service = _settings().limits, _service()
    job = await service.job(job_id)
    if job.state in TERMINAL:
        raise NotWaiting(f"{job_id} is {state(job)} and needs no yes: `desk status {job_id}` shows what is next")
    if changes:
        await service.revise(job_id, changes, limits=limits)
    else:
        await service.approve(job_id, limits=limits)
    await output.show(service, job_id)


async def _cancel(job_id: str) -> None:
    from tools.research.texts import state

    service = _service()
    job = await service.cancel(job_id)
    out.print(f"{job.id} is {state(job)}. {escape(job.error)}".strip(), soft_wrap=True)


async def _follow_up(job_id: str, question: str) -> None:
    from tools.research.report.rendering import to_chat

    settings = _settings()
    answer = await _service().follow_up(job_id, question, settings.follow_up_model, limits=settings.limits)
    show_markdown(to_chat(answer))


async def _report(job_id: str, resolve_links: bool, show: bool, output: _Output) -> None:
    from tools.research.errors import NotFinished
    from tools.research.report.redirect_links import is_redirect
    from tools.research.report.rendering import to_chat
    from tools.research.texts import state

    service = _service()
    job, found = await service.job(job_id), await service.report(job_id)
    if found and resolve_links:
        found = await service.resolve_links(job_id)
        left = sum(is_redirect(source.url) for source in found.sources)
        err.print(f"{left} links could not be resolved and stay as they are" if left else "all links are resolved")
    if found is None:
        raise NotFinished(f"{job_id} has no report: it is {state(job)}")
    if show:
        show_markdown(to_chat(found))
        return
    saved = await output.save(job, found)
    if output.as_json:
        output.print_json(job, found, saved)


async def _forget(job_id: str, yes: bool, force: bool) -> None:
    from tools.research.texts import state, title

    service = _service()
    job = await service.job(job_id)
    if not yes:
        err.print(f"{job.id} ({state(job)}): {title(job)}", markup=False, soft_wrap=True)
        question = "Delete it with its report, here and at the server? It cannot be undone."
        confirm(question, f"to delete {job.id} without a question: desk forget {job.id} --yes")
    for line in await service.forget(job_id, force=force):
        out.print(escape(line), soft_wrap=True)
    if (copies := DEFAULT_FOLDER / job.id).exists():
        out.print(f"{copies}: left alone, these are your copies", soft_wrap=True, markup=False)


def _service() -> Research:
    from tools.research.factory import research as new_service

    return new_service()


def _settings() -> ResearchSettings:
    """The researcher's settings, for commands that store something at the server.

    Raises:
        ConfigError: a file of the configuration is wrong.
        StorageForbidden: `store: false` is set.
    """
    from tools.config.loader import load_agent
    from tools.research.config import load_research_settings
    from tools.settings import load_settings

    config = load_settings().config
    load_agent(config)  # a mistake in any agent's file stops the command before it spends anything
    settings = load_research_settings(config)
    settings.need_storage()
    return settings


def _names(formats: list[Format] | None) -> list[str]:
    return [format_.value for format_ in formats or list(Format)]
