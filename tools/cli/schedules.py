"""The commands about schedules: research that is repeated at certain times."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from tools.cli.arguments import AsJson, read_order_text, refuse_together
from tools.cli.command_run import RESEARCH_STOPPED, fail, options, run
from tools.cli.confirmation import confirm
from tools.cli.env_file import env_file, lost_variables
from tools.cli.exit_status import ExitStatus
from tools.cli.progress import show_progress
from tools.cli.terminal import err, out, print_fields
from tools.research.order import LOCAL_USER
from tools.settings import load_settings
from tools.text.time_formats import iso, to_second

if TYPE_CHECKING:
    from tools.research.job import Job
    from tools.research.schedules.schedule import Schedule
    from tools.research.service import Research

_NEEDS = "A run starts on time if `desk board`, `desk serve` or `desk work` runs then. Else add this to your crontab:"
_MISSED = "Times that were missed are caught up by one run."


def schedule(
    brief: Annotated[
        str,
        typer.Argument(
            callback=read_order_text, metavar="BRIEF", help="What to research each time; - reads standard input."
        ),
    ],
    max_usd: Annotated[
        float, typer.Option("--max-usd", metavar="USD", help="Ceiling: what its runs may cost in a calendar month.")
    ],
    every: Annotated[
        str, typer.Option(metavar="WHEN", help="day, weekday, week, month, quarter, or days: “monday 09:00”.")
    ] = "",
    cron: Annotated[str, typer.Option(metavar="CRON", help="A cron expression instead, such as “0 8 * * 1”.")] = "",
    at: Annotated[str, typer.Option(metavar="HH:MM", show_default="08:00", help="Time of day, for --every.")] = "",
    timezone: Annotated[
        str, typer.Option(metavar="NAME", show_default="this machine's", help="Europe/Berlin, UTC …")
    ] = "",
    use_max: Annotated[bool, typer.Option("--max", help="Use Deep Research Max.")] = False,
    notify: Annotated[
        list[str] | None,
        typer.Option(metavar="TARGET", help="Send notices to this target of `notify:` only; may be repeated."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to the ceiling without a question.")] = False,
    as_json: AsJson = False,
) -> None:
    """Research a topic again and again, under a monthly ceiling, and say what has changed."""
    run(_schedule(brief, max_usd, every, cron, at, timezone, use_max, notify or [], yes, as_json))


def schedules(
    schedule_id: Annotated[str, typer.Argument(metavar="SCHEDULE", help="Id of a schedule to show or change.")] = "",
    pause: Annotated[bool, typer.Option("--pause", help="Start none of its runs until --resume.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Resume it; runs that it missed are not started.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete it; its runs and reports stay.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """List schedules; or show, pause, resume or delete one."""
    if pause + resume + delete > 1:
        raise typer.BadParameter("--pause, --resume and --delete: name one of them")
    if delete:
        refuse_together("--delete", "shows nothing", {"--json": as_json})
    if not schedule_id and (pause or resume or delete):
        raise typer.BadParameter("name a schedule; `desk schedules` lists them")
    run(_change(schedule_id, pause, resume, delete, as_json) if schedule_id else _list(as_json))


def run_due(as_json: Annotated[bool, typer.Option("--json", help="One JSON object per run.")] = False) -> None:
    """Start the scheduled runs that are due, and follow them to their end. For cron; costs what the schedules say."""
    run(_run_due(as_json), RESEARCH_STOPPED)


COMMANDS = (schedule, schedules, run_due)


async def _schedule(
    brief: str,
    max_usd: float,
    every: str,
    cron: str,
    at: str,
    timezone: str,
    use_max: bool,
    notify: list[str],
    yes: bool,
    as_json: bool,
) -> None:
    from tools.cli.research import settings_for_order
    from tools.research.factory import research
    from tools.research.order import OUTSIDE_CONVERSATIONS
    from tools.research.schedules.new_schedule import new_schedule
    from tools.research.schedules.schedule import BadSchedule
    from tools.research.schedules.texts import terms
    from tools.research.schedules.timing import BadTiming, new_timing

    now = time.time()
    try:
        timing = new_timing(every, cron, at, timezone, now)
        settings = settings_for_order(use_max, notify)
        order = settings.order(brief, user=LOCAL_USER, session=OUTSIDE_CONVERSATIONS, use_max=use_max, notify=notify)
        wanted = new_schedule(order, timing, max_usd, now, settings.limits)
    except (BadTiming, BadSchedule) as error:
        fail(error, status=ExitStatus.USAGE)
    facts = {"Brief": brief, **terms(wanted, now)}
    err.print("\n".join(f"{name}: {value}" for name, value in facts.items()), markup=False, soft_wrap=True)
    if not yes:
        confirm("Let these runs start without another question?", "agree to the ceiling with --yes")
    made, new = await research().schedules.add(order, timing, max_usd, settings.limits)
    if as_json:
        typer.echo(json.dumps(await _data(research(), made), ensure_ascii=False))
    if not new:
        known = f"its ceiling is {made.ceiling} a month, and it is {made.status}"
        err.print(f"{made.id} does this already: {known}. Nothing was changed.", soft_wrap=True)
        return
    if not as_json:
        first = timing.show(made.due) if made.due else ""
        out.print(f"{made.id}  {escape(timing.words())}; the first run is due {first}", soft_wrap=True)
    err.print(f"{_how_to_start()}\n{_MISSED}", markup=False, soft_wrap=True)


def _how_to_start() -> str:
    """Says how due runs are started: by a line for crontab, and which of the variables set now it will lack."""
    lost = ", ".join(lost_variables(load_settings().config))
    lack = f"\ncron lacks these variables of your shell: {lost}. Write them into {env_file() or Path.cwd() / '.env'}"
    return f"{_NEEDS}\n  {_crontab_line()}{lack if lost else ''}"


def _crontab_line() -> str:
    program = Path(sys.executable).with_name("desk")
    command = shlex.join([str(program if program.exists() else Path(sys.argv[0]).absolute()), "run-due"])
    return f"*/15 * * * * cd {shlex.quote(str(Path.cwd()))} && {command}".replace("%", r"\%")


async def _list(as_json: bool) -> None:
    from tools.research.factory import research
    from tools.research.job_texts import order_title
    from tools.research.schedules.texts import is_overdue, standing

    service, now = research(), time.time()
    found = await service.schedules.of_user(LOCAL_USER)
    for each in found:
        if as_json:
            typer.echo(json.dumps(await _data(service, each), ensure_ascii=False))
        else:
            spent = f"${await service.schedules.spent(each):.2f} of ${each.max_usd:.2f}"
            line = (each.id, standing(each, now), spent, each.timing.words(), order_title(each.order))
            if out.is_terminal:
                out.print(f"[bold]{line[0]}[/]  {escape('  '.join(line[1:4]))}\n  {escape(line[4])}", soft_wrap=True)
            else:
                print_fields(*line)
    if not found and not as_json and out.is_terminal:
        out.print('No schedules yet. Make one: desk schedule "…" --every monday --max-usd 15')
    if any(is_overdue(each, now) for each in found):
        err.print(f"{_how_to_start()}\nTo start what is due now: desk run-due", markup=False, soft_wrap=True)


async def _change(schedule_id: str, pause: bool, resume: bool, delete: bool, as_json: bool) -> None:
    from tools.cli.research import checked_settings
    from tools.research.factory import research

    service = research()
    found = await service.schedules.own(LOCAL_USER, schedule_id)
    if delete:
        await service.schedules.delete(found)
        out.print(f"{found.id} is deleted; its runs and their reports stay.", soft_wrap=True)
        return
    if pause:
        found = await service.schedules.pause(found)
    if resume:
        checked_settings()
        found = await service.schedules.activate(found)
    if as_json:
        typer.echo(json.dumps(await _data(service, found), ensure_ascii=False))
    else:
        await _show(service, found)


async def _show(service: Research, found: Schedule) -> None:
    from tools.research.schedules.texts import standing

    now = time.time()
    facts = {
        "brief": found.order.brief,
        "agent": found.order.agent,
        "server": found.order.server,
        "when": found.timing.words(),
        "next": found.timing.show(found.due) if found.due else "",
        "waits": found.held,
        "ceiling": f"${found.max_usd:.2f} a month, ${await service.schedules.spent(found):.2f} spent so far in"
        f" {found.timing.show_month(now)}",
        "made": to_second(found.created),
    }
    out.print(f"[bold]{found.id}[/]  {escape(standing(found, now))}", soft_wrap=True)
    for name, value in facts.items():
        if value:
            out.print(f"  [dim]{name:8}[/] {escape(' '.join(value.split()))}", soft_wrap=True)
    for each in await service.ledger.notices.of_job(found.id):
        out.print(f"  [dim]{'notice':8}[/] ceiling reached, {to_second(each.created)}", soft_wrap=True)
    for job in await service.schedules.runs(found):
        out.print(f"  [dim]{'run':8}[/] {escape(_run(job, found))}", soft_wrap=True)


def _run(job: Job, found: Schedule) -> str:
    from tools.research.schedules.report_changes import counts

    due = found.timing.show(job.order.due) if job.order.due else ""
    return f"{job.id} {job.state.words}, due {due}{f'. {counts(job.changes)}' if job.changes else ''}"


async def _data(service: Research, found: Schedule) -> dict[str, Any]:
    return {
        "schedule": found.id,
        "status": found.status,
        "brief": found.order.brief,
        "agent": found.order.agent,
        "server": found.order.server,
        "cron": found.timing.cron,
        "timezone": found.timing.zone,
        "next": None if found.due is None else iso(found.due),
        "waits": found.held,
        "price_usd_at_most": found.price,
        "max_usd_per_month": found.max_usd,
        "spent_usd_this_month": await service.schedules.spent(found),
        "notify": list(found.order.notify),
        "runs": [job.id for job in await service.schedules.runs(found)],
    }


async def _run_due(as_json: bool) -> None:
    from tools.cli.job_listing import as_data
    from tools.cli.research import checked_settings
    from tools.research.factory import research
    from tools.research.job_texts import title
    from tools.research.notices.delivery import delivering

    settings, service = checked_settings(), research()
    async with delivering():
        job_ids = [job.id for job in await service.resume()]  # runs whose process died
        job_ids += await service.schedules.start_due(settings.limits)
        for job_id in dict.fromkeys(job_ids):
            job, options.job_id = await service.job(job_id), job_id
            err.print(f"{job.id}: {title(job)}", markup=False, soft_wrap=True)
            await show_progress(service.watch(job_id))
            job = await service.job(job_id)
            if as_json:
                typer.echo(json.dumps(as_data(job), ensure_ascii=False))
            else:
                out.print(f"{job.id} is {job.state.words}. {escape(job.error)}".strip(), soft_wrap=True)
