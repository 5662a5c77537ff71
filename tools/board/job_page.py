"""The page of a research run: its state, and the texts of its plan, report, answers and changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from tools.board.actions import own_job
from tools.board.base import Board
from tools.board.downloads import NAMES, formats
from tools.board.job_states import Phase, reason, seen
from tools.board.limits import MAX_TEXT_CHARS
from tools.board.list_page import job_row
from tools.board.live_progress import Cursor, run_of
from tools.board.share_links import DEFAULT_SHARE_DAYS, SHARE_DAYS
from tools.board.spent import spent_by_job, with_begun
from tools.research.job import Job
from tools.research.job_states import State
from tools.research.job_texts import title
from tools.research.order import MAX_TITLE_CHARS
from tools.research.pricing import QUESTION_COST_USD, RUN_MINUTES, cost_of, price_range
from tools.research.report.report import Report
from tools.research.schedules.report_changes import counts
from tools.research.screening import Withheld
from tools.research.service import Research


@dataclass(frozen=True)
class Answer:
    """A question about a report and its answer, as safe HTML."""

    question: str
    html: str


@dataclass(frozen=True)
class JobPage:
    """One research run."""

    id: str
    title: str
    brief: str
    name: str
    """The title that the person gave; it may be empty."""
    phase: Phase
    label: str
    seen: str
    """State and version of the job: a form sends it back, so that nothing is done to a job that has changed."""
    agent: str
    price: str
    time: str
    plan_price: str
    question_price: str
    has_plan: bool
    plans_first: bool
    """Whether the next yes starts a plan, and not the run."""
    builds_on: str
    schedule: str
    """Id of the schedule that ordered it; empty if a person ordered it."""
    files: str
    age: str
    created: str
    spent: str
    reason: str
    """The reason why there is no report, or why it may be incomplete."""
    may_have_result: bool
    """Whether the server may have the result after all, so that it helps to look again."""
    may_cost_again: bool
    """Whether repeating the run costs money again."""


@dataclass(frozen=True)
class _Texts:
    """The texts of models on a job's page, as safe HTML."""

    report: str = ""
    plan: str = ""
    changes: str = ""
    counted: str = ""
    """A sentence that counts the changes since the last run."""
    answers: Sequence[Answer] = ()


async def show_job(board: Board, request: Request) -> Response:
    """Shows the page."""
    service, job = await board.own_job(request)
    return await _show(board, request, service, job)


async def _show(board: Board, request: Request, service: Research, job: Job) -> Response:
    user, base_id = job.order.user, job.order.base
    base = await service.own_job(user, base_id, with_files=False) if base_id else None
    async with board.reading(request):
        files = files_of(await own_job(service, user, job.id, with_files=True))
    entries = await service.ledger.spending(user=user)
    spent = spent_by_job(with_begun(entries, [job], board.now())).get(job.id, 0.0)
    page, texts = contents(job, spent, board.now(), base, files), _Texts()
    try:
        if page.phase in ("waiting", "report", "ended"):
            async with board.loading_reports(request, user):
                texts = await _texts(board, service, job, page.phase)
    except Withheld as error:
        if page.phase == "waiting":
            raise
        page = replace(page, reason=str(error))  # it can still be deleted
    lines = await service.ledger.lines(job) if page.phase in ("running", "stalled") and not board.screen else []
    return board.show(
        request,
        "job.html",
        token=await board.token(request),
        job=page,
        known="known" in request.query_params,
        asked="asked" in request.query_params,
        texts=texts,
        lines=lines,
        cursor=Cursor(run_of(job), len(lines)),
        formats=formats(),
        names=NAMES,
        share_days=SHARE_DAYS,
        default_share_days=DEFAULT_SHARE_DAYS,
        max_chars=MAX_TEXT_CHARS,
        max_title_chars=MAX_TITLE_CHARS,
    )


async def _texts(board: Board, service: Research, job: Job, phase: Phase) -> _Texts:
    """Loads, checks and renders the texts of models on a job's page.

    Raises:
        Withheld: one of them must not be shown.
    """
    user = job.order.user
    if phase == "waiting":
        return _Texts(plan=(await board.render_checked([_as_report(job.plan.text)], user))[0]) if job.plan else _Texts()
    if (report := await service.report(job.id)) is None:
        return _Texts()
    answers = [each for each in job.follow_ups if each.text]
    changed = [job.changes.words or job.changes.text] if job.changes else []
    texts = [report, *map(_as_report, [each.text for each in answers] + changed)]
    first, *others = await board.render_checked(texts, user)
    return _Texts(
        report=first,
        answers=[Answer(each.question, html) for each, html in zip(answers, others, strict=False)],
        changes=others[-1] if changed else "",
        counted=counts(job.changes) if job.changes else "",
    )


def files_of(job: Job) -> str:
    """Returns number and types of the files of a job's order; empty if it has none."""
    kinds = sorted({str(content.get("mime_type", "file")) for content in job.order.inputs})
    return f"{len(job.order.inputs)} ({', '.join(kinds)})" if kinds else ""


def contents(job: Job, spent: float, now: float, base: Job | None = None, files: str = "") -> JobPage:
    """Builds the page of a job.

    Args:
        spent: highest estimate of what it cost so far, in USD.
        base: the job that it builds on, if that is the user's own.
        files: see `files_of`.
    """
    row = job_row(job, spent, now)
    return JobPage(
        id=job.id,
        title=row.title,
        brief=job.order.brief,
        name=job.order.title,
        phase=row.phase,
        label=row.label,
        seen=seen(job),
        agent=job.order.agent,
        price=price_range(job.order.agent),
        time=f"usually {RUN_MINUTES[0]} to {RUN_MINUTES[1]} minutes",
        plan_price=f"${cost_of(job.order.agent)[0]:g}",
        question_price=f"${QUESTION_COST_USD:.2f}",
        has_plan=job.plan is not None,
        plans_first=job.plan is None and job.request.plans,
        builds_on=title(base) if base else "",
        schedule=job.order.schedule,
        files=files,
        age=row.age,
        created=row.created,
        spent=row.spent,
        reason=reason(job),
        may_have_result=job.state in (State.EXPIRED, State.STALLED),
        may_cost_again=not job.ended_before_start,
    )


def _as_report(text: str) -> Report:
    """A text of a model, for rendering."""
    return Report("", text, (), (), {}, "", "", "")
