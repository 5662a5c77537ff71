"""`desk research`: starts or continues a research run, and saves its report."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tools.cli.arguments import AsJson, Folder, read_order_text
from tools.cli.attachments import Attachments, read_attachments
from tools.cli.command_run import RESEARCH_STOPPED, options, run
from tools.cli.order_settings import settings_for_order
from tools.cli.price_confirmation import confirm_price
from tools.cli.report_output import Formats, ReportOutput, new_service
from tools.cli.terminal import can_ask, err
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
