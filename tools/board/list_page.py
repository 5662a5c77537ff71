"""The list of a user's research runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from tools.board.base import Board
from tools.board.job_states import Phase, label, phase
from tools.board.limits import JOBS_PER_PAGE
from tools.board.spent import spent_by_job, with_begun
from tools.research.factory import research
from tools.research.job import Job
from tools.research.job_texts import title
from tools.research.quotas import LIMIT_PERIOD_S
from tools.research.settings import research_settings
from tools.research.spending import Spending
from tools.text.time_formats import to_minute


@dataclass(frozen=True)
class Row:
    """One research run in the list."""

    id: str
    title: str
    phase: Phase
    label: str
    age: str
    created: str
    spent: str


@dataclass(frozen=True)
class ListPage:
    """The list of a user's research runs."""

    rows: Sequence[Row]
    page: int
    pages: int
    spent_today: str
    """Highest estimate of what the user spent in the last 24 hours."""
    limit: str
    """The user's limit for 24 hours."""
    live: bool
    """Whether a run changes by itself, so that the page should be shown again soon."""


async def show_list(board: Board, request: Request) -> Response:
    """Shows a page of the list."""
    service, user = research(), request.user.username
    wanted = request.query_params.get("page", "1")
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 6 else 1
    async with board.reading(request):
        jobs, entries = await service.jobs(user), await service.ledger.spending(user=user)
        found = contents(jobs, entries, board.now(), research_settings().limits.usd_per_day, number)
    return board.show(request, "list.html", list=found)


def contents(jobs: Sequence[Job], entries: Sequence[Spending], now: float, limit_usd: float, page: int) -> ListPage:
    """Builds the list.

    Args:
        jobs: all of the user's jobs, newest first.
        entries: the user's spending.
        page: number of the page to show, from 1; a number that is too high gives the last page.
    """
    pages = max(-(-len(jobs) // JOBS_PER_PAGE), 1)
    page = min(max(page, 1), pages)
    entries = with_begun(entries, jobs, now)
    spent = spent_by_job(entries)
    here = jobs[(page - 1) * JOBS_PER_PAGE : page * JOBS_PER_PAGE]
    today = sum(entry.estimate for entry in entries if entry.time >= now - LIMIT_PERIOD_S)
    rows = [job_row(job, spent.get(job.id, 0.0), now) for job in here]
    live = any(phase(job) == "running" for job in here)
    return ListPage(rows, page, pages, f"${today:.2f}", f"${limit_usd:.2f}", live)


def job_row(job: Job, spent: float, now: float) -> Row:
    """Builds the row of a job, of which `spent` is the highest estimate of its cost in USD."""
    return Row(
        job.id,
        title(job),
        phase(job),
        label(job),
        age(now - job.created),
        to_minute(job.created),
        f"spent: at most ${spent:.2f}" if spent else "nothing spent",
    )


def age(seconds: float) -> str:
    """Formats an age in one unit: "3 minutes ago"."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if (count := int(seconds // size)) > 0:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
