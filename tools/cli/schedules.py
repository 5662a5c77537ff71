"""`desk schedules`: lists schedules; or shows, pauses, resumes or deletes one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from tools.cli.arguments import refuse_together
from tools.cli.command_run import run
from tools.cli.crontab import how_to_start
from tools.cli.terminal import err, out, print_fields, print_json
from tools.research.order import LOCAL_USER
from tools.text.time_formats import iso, to_second

if TYPE_CHECKING:
    from tools.research.schedules.schedule import Schedule
    from tools.research.service import Research

if TYPE_CHECKING:
    from tools.research.job import Job
    from tools.research.schedules.schedule import Schedule
    from tools.research.service import Research


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


async def _list(as_json: bool) -> None:
    from tools.research.factory import research
    from tools.research.job_texts import order_title
    from tools.research.schedules.texts import is_overdue, standing

    service, now = research(), time.time()
    found = await service.schedules.of_user(LOCAL_USER)
    for each in found:
        if as_json:
            print_json(await as_data(service, each))
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
        err.print(f"{how_to_start()}\nTo start what is due now: desk run-due", markup=False, soft_wrap=True)


async def _change(schedule_id: str, pause: bool, resume: bool, delete: bool, as_json: bool) -> None:
    from tools.cli.order_settings import checked_settings
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
        print_json(await as_data(service, found))
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


async def as_data(service: Research, found: Schedule) -> dict[str, Any]:
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
