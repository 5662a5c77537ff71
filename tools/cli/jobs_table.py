"""Shows jobs as a table, text or JSON. Does not import the research service."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from tools.cli.terminal import out
from tools.research.job import DAY, Job
from tools.settings import load_settings

if TYPE_CHECKING:
    from tools.research.report.reading import Report


def show_jobs(found: list[Job], as_json: bool) -> None:
    """Prints jobs as a table, or as one JSON object per line."""
    from rich.table import Table

    if as_json:
        for job in found:
            print(json.dumps(as_data(job), ensure_ascii=False))
        return
    table = Table("job", "user", "state", "began", "took", "brief")
    for job in found:
        took = "" if job.seconds is None else f"{job.seconds:.0f} s"
        brief = escape(" ".join(job.order.brief.split())[:70])
        table.add_row(job.id, escape(job.order.user), job.state, _moment(job.created), took, brief)
    out.print(table if found else 'No research yet. Start one: desk research "…"')


def show_job(job: Job, as_json: bool) -> None:
    """Prints all fields of a job."""
    data = as_data(job)
    if as_json:
        print(json.dumps(data, ensure_ascii=False))
        return
    for key, value in data.items():
        if value not in (None, "", {}, []):
            shown = ", ".join(value) if isinstance(value, list) else str(value)
            out.print(f"[bold]{key}[/]: {escape(shown)}", soft_wrap=True)


def as_data(job: Job, found: Report | None = None) -> dict[str, Any]:
    """Returns a job, and its report if given, as JSON data."""
    kept_until = job.kept_until(load_settings().retention_days * DAY)
    data = {
        "job": job.id,
        "state": job.state,
        "brief": job.order.brief,
        "agent": job.order.agent,
        "server": job.order.server,
        "interaction_id": job.interaction_id,
        "kept_until": None if kept_until is None else _moment(kept_until),
        "builds_on": job.order.base,
        "follow_ups": [answer.interaction_id for answer in job.follow_ups],
        "created": _moment(job.created),
        "seconds": job.seconds,
        "usage": dict(job.usage),
        "cost_usd_at_most": job.cost,
        "plan": job.plan.text if job.plan else "",
        "error": job.error,
    }
    if found is None:
        return data
    from tools.research.report.reading import to_json

    return data | {"report": json.loads(to_json(found))}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
