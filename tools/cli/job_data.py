"""A research run as JSON data, and its title and times as short texts, for several commands."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tools.research.job import Job
from tools.settings import load_settings
from tools.text.time_formats import iso

if TYPE_CHECKING:
    from tools.research.report.report import Report


def kept_until_of(job: Job) -> float | None:
    return job.kept_until(load_settings().retention_s)


def as_data(job: Job, found: Report | None = None) -> dict[str, Any]:
    """Returns a job, and its report if given, as JSON data."""
    kept_until = kept_until_of(job)
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
