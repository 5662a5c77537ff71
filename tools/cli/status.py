"""`desk status`: shows the state of a research run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from tools.cli.arguments import AsJson, JobId
from tools.cli.command_run import run
from tools.cli.job_data import ago, as_data, duration, kept_until_of, one_line
from tools.cli.report_output import new_service
from tools.cli.terminal import out, print_json
from tools.research.job import Job
from tools.research.job_states import State
from tools.text.time_formats import to_second

if TYPE_CHECKING:
    from tools.research.notices.outbox import Notice

MAX_BRIEF_LINES = 3
"""Screen lines of a brief that `desk status` shows on a terminal. In a pipe, and with `--json`, it shows the whole."""


def status(job_id: JobId, as_json: AsJson = False) -> None:
    """Show the state of a research run, from the ledger."""
    run(_show_status(job_id, as_json))


async def _show_status(job_id: str, as_json: bool) -> None:
    service = new_service()
    job = await service.job(job_id)
    entries = await service.ledger.spending(user=job.order.user)
    spent = sum(entry.estimate for entry in entries if entry.job == job.id)
    show_job(job, as_json, spent, await service.ledger.notices.of_job(job.id))


def show_job(job: Job, as_json: bool, spent: float, notices: Sequence[Notice] = ()) -> None:
    """Prints the main facts of a job as text, or all of its data as JSON.

    Args:
        spent: upper estimate, in USD, of the cost of the job's runs, plans and questions.
        notices: the notices about the job.
    """
    if as_json:
        sent = [{"state": each.state, "target": each.target, "result": _result(each)} for each in notices]
        print_json(as_data(job) | {"notices": sent})
        return
    now = time.time()
    out.print(f"[bold]{job.id}[/]  {job.state.words}", soft_wrap=True)
    out.print(escape(_shortened(job) if out.is_terminal else one_line(job)), soft_wrap=True)
    for name, value in _facts(job, now, spent).items():
        out.print(f"  [dim]{name:11}[/] {escape(value)}", soft_wrap=True)
    for each in notices:
        out.print(
            f"  [dim]{'notice':11}[/] {escape(f'{each.state} to {each.target}: {_result(each)}')}", soft_wrap=True
        )


def _shortened(job: Job) -> str:
    """Returns a job's title or brief, cut off after `MAX_BRIEF_LINES` lines unless the run waits for a yes to it."""
    from rich.cells import cell_len, set_cell_size

    text = one_line(job)
    if job.state is State.AWAITING_APPROVAL or cell_len(text) <= out.width * MAX_BRIEF_LINES:
        return text
    end = f"… ({len(text):,} characters; desk status {job.id} --json)"
    return set_cell_size(text, out.width * MAX_BRIEF_LINES - cell_len(end)).rstrip() + end


def _facts(job: Job, now: float, spent: float) -> dict[str, str]:
    from tools.research.job_texts import next_command
    from tools.research.schedules.report_changes import counts

    kept_until = kept_until_of(job)
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
