"""Prints lists of jobs and the facts of one job, as columns, text or JSON. Does not import the research service."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from tools.cli.terminal import out, print_fields
from tools.research.job import Job
from tools.research.job_states import State
from tools.settings import load_settings
from tools.text.time_formats import iso, to_second

if TYPE_CHECKING:
    from tools.research.notices.outbox import Notice
    from tools.research.report.report import Report

NARROW_WIDTH = 64
"""Width of a terminal, in characters, below which the list shows short ages."""


def show_jobs(found: list[Job], as_json: bool) -> None:
    """Prints jobs: as columns that fit a terminal, as lines with tabs in a pipe, or as one JSON object per line."""
    if as_json:
        for job in found:
            print(json.dumps(as_data(job), ensure_ascii=False))
    elif not out.is_terminal:
        from tools.research.job_texts import title  # imports what renders reports

        for job in found:
            print_fields(job.id, job.state.words, to_second(job.created), title(job))
    elif not found:
        out.print('No research yet. Start one: desk research "…"')
    else:
        out.print(_columns(found, time.time()))


def _columns(found: list[Job], now: float) -> Any:
    from rich.table import Table

    narrow = out.width < NARROW_WIDTH
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, expand=True)
    for name in ("job", "state", "started"):
        table.add_column(name, no_wrap=True)
    table.add_column("brief", no_wrap=True, ratio=1)
    for job in found:
        table.add_row(job.id, job.state.words, ago(now - job.created, short=narrow), escape(one_line(job)))
    return table


def show_job(job: Job, as_json: bool, spent: float, notices: Sequence[Notice] = ()) -> None:
    """Prints the main facts of a job as text, or all of its data as JSON.

    Args:
        spent: upper estimate, in USD, of the cost of the job's runs, plans and questions.
        notices: the notices about the job.
    """
    if as_json:
        sent = [{"state": each.state, "target": each.target, "result": _result(each)} for each in notices]
        print(json.dumps(as_data(job) | {"notices": sent}, ensure_ascii=False))
        return
    now = time.time()
    out.print(f"[bold]{job.id}[/]  {job.state.words}", soft_wrap=True)
    out.print(escape(one_line(job)), soft_wrap=True)
    for name, value in _facts(job, now, spent).items():
        out.print(f"  [dim]{name:11}[/] {escape(value)}", soft_wrap=True)
    for each in notices:
        out.print(
            f"  [dim]{'notice':11}[/] {escape(f'{each.state} to {each.target}: {_result(each)}')}", soft_wrap=True
        )


def _kept_until(job: Job) -> float | None:
    return job.kept_until(load_settings().retention_s)


def _facts(job: Job, now: float, spent: float) -> dict[str, str]:
    from tools.research.job_texts import next_command  # this imports the modules that render reports
    from tools.research.schedules.report_changes import counts

    kept_until = _kept_until(job)
    took = "" if job.seconds is None else f", took {duration(job.seconds)}"
    facts = {
        "brief": job.order.brief if job.state is State.AWAITING_APPROVAL and job.order.title else "",
        "agent": job.order.agent,
        "server": job.order.server,
        "started": f"{to_second(job.created)} ({ago(now - job.created)}){took}",
        "progress": f"{job.events} event{'' if job.events == 1 else 's'}{f', last: {job.line}' if job.line else ''}"
        if job.finished is None
        else "",
        "last news": ago(now - job.updated) if job.finished is None else "",
        "spent": f"at most ${spent:.2f}" if spent else "nothing yet",
        "tokens": str(job.usage.get("total_tokens", "")),
        "builds on": job.order.base,
        "schedule": job.order.schedule,
        "changes": counts(job.changes) if job.changes else "",
        "in words": job.changes.words if job.changes else "",
        "answers": ", ".join(answer.interaction_id for answer in job.follow_ups),
        "error": job.error,
        "interaction": job.interaction_id or "",
        "kept until": "" if kept_until is None else to_second(kept_until),
        "next": next_command(job),
    }
    return {name: " ".join(value.split()) for name, value in facts.items() if value}


def _result(notice: Notice) -> str:
    """Describes the result of a notice."""
    if notice.ended is not None:
        return f"given up: {notice.error}" if notice.error else f"sent {to_second(notice.ended)}"
    return f"next attempt {to_second(notice.due)}: {notice.error}" if notice.error else "not sent yet"


def as_data(job: Job, found: Report | None = None) -> dict[str, Any]:
    """Returns a job, and its report if given, as JSON data."""
    kept_until = _kept_until(job)
    data = {
        "job": job.id,
        "state": job.state,
        "brief": job.order.brief,
        "agent": job.order.agent,
        "server": job.order.server,
        "interaction_id": job.interaction_id,
        "kept_until": None if kept_until is None else iso(kept_until),
        "builds_on": job.order.base,
        "notify": list(job.order.notify),
        "schedule": job.order.schedule,
        "changes": asdict(job.changes) if job.changes else None,
        "follow_ups": [answer.interaction_id for answer in job.follow_ups],
        "created": iso(job.created),
        "seconds": None if job.seconds is None else round(job.seconds, 1),
        "usage": dict(job.usage),
        "cost_usd_at_most": job.cost,
        "plan": job.plan.text if job.plan else "",
        "error": job.error,
    }
    if found is None:
        return data
    from tools.research.report.report import to_json

    return data | {"report": json.loads(to_json(found))}


def one_line(job: Job) -> str:
    """Returns the title of a job, or its brief if it has no title, on one line."""
    return " ".join((job.order.title or job.order.brief).split())


def ago(seconds: float, *, short: bool = False) -> str:
    """Formats an age with one unit: "3 min ago", or "3m" if `short`."""
    whole = max(int(seconds), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if whole >= size:
            return f"{whole // size}{unit[0]}" if short else f"{whole // size} {unit} ago"
    return "now"


def duration(seconds: float) -> str:
    """Formats a duration: "21 min", or "40 s" below a minute."""
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
