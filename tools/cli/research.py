"""The commands about research runs: start, list, watch, approve, cancel, ask about, forget."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from tools.cli.arguments import DEFAULT_FOLDER, AsJson, Folder, JobId, read_order_text
from tools.cli.attachments import Attachments, read_attachments
from tools.cli.command_run import RESEARCH_STOPPED, options, run
from tools.cli.confirmation import confirm
from tools.cli.job_listing import show_job, show_jobs
from tools.cli.price_confirmation import confirm_price
from tools.cli.report_output import Formats, ReportOutput, new_service
from tools.cli.terminal import can_ask, err, out, show_markdown
from tools.errors import DeskError
from tools.research.order import LOCAL_USER

if TYPE_CHECKING:
    from tools.research.settings import ResearchSettings


def research(
    brief: Annotated[
        str,
        typer.Argument(
            callback=read_order_text,
            metavar="BRIEF",
            help="What to research, and in which form; - reads standard input.",
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
    notify: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TARGET", help="Send notices to this target of `notify:` only; may be repeated; default: to all."
        ),
    ] = None,
) -> None:
    """Research a topic, and save the report. The same command continues a run that was stopped or killed."""
    output = ReportOutput(folder, formats, as_json)
    run(_research(brief, files or [], plan, use_max, yes_up_to, again, base, notify or [], output), RESEARCH_STOPPED)


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
    run(_attach(job_id, ReportOutput(folder, formats, as_json)), RESEARCH_STOPPED)


def approve(
    job_id: JobId,
    changes: Annotated[
        str | None,
        typer.Option(
            "--changes",
            callback=read_order_text,
            metavar="TEXT",
            help="What to change in the plan; - reads standard input.",
        ),
    ] = None,
    folder: Folder = None,
    formats: Formats = None,
    as_json: AsJson = False,
) -> None:
    """Say yes to a plan or a price, or ask for another plan."""
    run(_approve(job_id, changes, ReportOutput(folder, formats, as_json)), RESEARCH_STOPPED)


def cancel(job_id: JobId) -> None:
    """Cancel a research run, here and at the server."""
    run(_cancel(job_id))


def follow_up(
    job_id: JobId,
    question: Annotated[
        str, typer.Argument(callback=read_order_text, metavar="QUESTION", help="A question; - reads standard input.")
    ],
) -> None:
    """Ask a model about a finished report."""
    run(_follow_up(job_id, question))


def forget(
    job_id: JobId,
    yes: Annotated[bool, typer.Option("--yes", help="Delete it without a question.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Delete it here even if a server keeps some of it.")] = False,
) -> None:
    """Delete a research run, its report and its interactions, and show what was deleted."""
    run(_forget(job_id, yes, force))


COMMANDS = (research, jobs, status, attach, approve, cancel, follow_up, forget)


class NotWaiting(DeskError):
    """The run is not waiting for a yes."""


class NotCancelled(DeskError):
    """The run had ended before it could be cancelled."""


async def _research(
    brief: str,
    files: list[Path],
    plan: bool,
    use_max: bool,
    yes_up_to: float | None,
    again: bool,
    base: str,
    notify: list[str],
    output: ReportOutput,
) -> None:
    from tools.research.job_states import TERMINAL, State
    from tools.research.order import OUTSIDE_CONVERSATIONS
    from tools.research.pricing import price_range

    settings, service = settings_for_order(use_max, notify), new_service()
    inputs = _contents(files)
    order = settings.order(
        brief, user=LOCAL_USER, session=OUTSIDE_CONVERSATIONS, inputs=inputs, use_max=use_max, plan=plan, notify=notify
    )
    if base:
        order = await service.with_base(base, order)
    up_to = _price_without_question(settings) if yes_up_to is None else yes_up_to
    # The person is not asked if the order joins a run. If that run is deleted meanwhile, the new run waits for a yes.
    must_confirm = not await confirm_price(service, order, up_to, again)
    job, new = await service.start(order, limits=settings.limits, confirm=must_confirm)
    if again and not new:
        known = job
        job = await service.start_again(job, limits=settings.limits, confirm=must_confirm, notify=order.notify)
        new = job.id != known.id
    options.job_id = job.id
    if notify and not new:
        await service.ledger.add_targets(job.id, notify)
    if job.state in TERMINAL:
        err.print(f"{job.id} had this brief before ({job.state}); --again pays for a new run.")
    elif job.state is not State.AWAITING_APPROVAL:
        builds = f", building on {job.order.base}" if job.order.base else ""
        how = f"{job.order.agent}, on {job.order.server}"
        price = f", {price_range(job.order.agent)}" if new else ""
        err.print(f"{job.id} {'ordered' if new else 'continues'}{builds} ({how}{price})", soft_wrap=True)
    await output.show(service, job.id)


def _price_without_question(settings: ResearchSettings) -> float:
    """Up to this price in USD, no question is asked: a standard run's price in scripts and on the emulator, else 0."""
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
    from tools.cli.jobs_watch import watch
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
    service = new_service()
    job = await service.job(job_id)
    entries = await service.ledger.spending(user=job.order.user)
    spent = sum(entry.estimate for entry in entries if entry.job == job.id)
    show_job(job, as_json, spent, await service.ledger.notices.of_job(job.id))


async def _attach(job_id: str, output: ReportOutput) -> None:
    from tools.research.job_states import State

    service = new_service()
    job = await service.job(job_id)
    if job.state is State.INTENDED:  # `show` sends an unsent job, and its run has to be stored by the server
        checked_settings()
    await output.show(service, job.id)


async def _approve(job_id: str, changes: str | None, output: ReportOutput) -> None:
    from tools.research.job_states import TERMINAL

    limits, service = checked_settings().limits, new_service()
    job = await service.job(job_id)
    if job.state in TERMINAL:
        raise NotWaiting(f"{job_id} is {job.state.words} and needs no yes: `desk status {job_id}` shows what is next")
    if changes:
        await service.revise(job_id, changes, limits=limits)
    else:
        await service.approve(job_id, limits=limits)
    await output.show(service, job_id)


async def _cancel(job_id: str) -> None:
    from tools.research.job_states import State
    from tools.research.notices.delivery import delivering

    service = new_service()
    async with delivering():
        job = await service.cancel(job_id)
    if job.state is not State.CANCELLED:
        raise NotCancelled(f"{job.id} is {job.state.words}, so there is nothing to cancel")
    out.print(f"{job.id} is {job.state.words}. {escape(job.error)}".strip(), soft_wrap=True)


async def _follow_up(job_id: str, question: str) -> None:
    from tools.research.report.markdown_rendering import inert

    settings, service = checked_settings(), new_service()
    answer = await service.follow_ups.ask_once(job_id, question, settings.follow_up_model, limits=settings.limits)
    show_markdown(inert(answer))


async def _forget(job_id: str, yes: bool, force: bool) -> None:
    from tools.research.job_texts import title

    service = new_service()
    job = await service.job(job_id)
    if not yes:
        err.print(f"{job.id} ({job.state.words}): {title(job)}", markup=False, soft_wrap=True)
        question = "Delete it with its report, here and at the server? It cannot be undone."
        confirm(question, f"to delete {job.id} without a question: desk forget {job.id} --yes")
    for line in await service.forget(job_id, force=force):
        out.print(escape(line), soft_wrap=True)
    if (copies := DEFAULT_FOLDER / job.id).exists():
        out.print(f"{copies}: left alone, these are your copies", soft_wrap=True, markup=False)


def settings_for_order(use_max: bool, notify: list[str]) -> ResearchSettings:
    """The researcher's settings, for an order with `--max` and `--notify`.

    Raises:
        typer.BadParameter: there is no agent for `--max`.
        UnknownTarget: there is no such target.
        ConfigError, StorageForbidden: see `checked_settings`.
    """
    settings = checked_settings()
    if use_max and not settings.max_agent:
        raise typer.BadParameter("--max: the researcher's YAML has no `max_agent`; leave --max out for a standard run")
    for name in notify:
        settings.target(name)
    return settings


def checked_settings() -> ResearchSettings:
    """The researcher's settings, for commands that store something at the server.

    Variables and lines of `.env` that have no effect are named before: a misspelt one may choose another server.

    Raises:
        ConfigError: a file of the configuration is wrong.
        StorageForbidden: `store: false` is set.
    """
    from tools.cli.env_file import env_warnings
    from tools.config.loader import load_agent
    from tools.research.settings import load_research_settings
    from tools.settings import load_settings

    for warning in env_warnings():
        err.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    config = load_settings().config
    load_agent(config)  # a mistake in any agent's file stops the command before it spends anything
    settings = load_research_settings(config)
    settings.need_storage()
    return settings
