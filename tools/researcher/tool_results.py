"""What a tool of the researcher returns to its model, and what it has shown to the user."""

from __future__ import annotations

from typing import Any

from google.adk.tools import ToolContext

from tools.research.job import Job
from tools.research.job_states import State
from tools.research.job_texts import title
from tools.research.open_questions import Action
from tools.research.pricing import RUN_MINUTES, cost_of
from tools.research.schedules.schedule import Schedule
from tools.research.service import Research
from tools.researcher import schedule_texts
from tools.researcher.presenter import Presentation, present
from tools.researcher.run_texts import listing
from tools.researcher.tool_arguments import settings_of

Result = dict[str, Any]


def result_of(job: Job, **more: Any) -> Result:
    """Returns a run as a result, with its price and duration if it waits for a yes."""
    result: Result = {"job": job.id, "state": job.state.value, "title": title(job)}
    if job.state is State.AWAITING_APPROVAL:
        result["quote"] = {"usd": list(cost_of(job.order.agent)), "minutes": list(RUN_MINUTES)}
    return {**result, **more}


def ordered(context: ToolContext, job: Job, new: bool, notes: list[str], next_step: str) -> Result:
    """Returns the result for an order. The agent then shows the question about its price, or watches the run."""
    present(context, Presentation(texts=tuple(notes), job=job.id, is_new=new))
    return result_of(job, next=next_step)


def show_run(context: ToolContext, job: Job) -> None:
    """Has a run watched and shown.

    Raises:
        StorageForbidden: the run was never sent, and the server may not keep it.
    """
    if job.state is State.INTENDED:  # watching starts an approved run that was never sent
        settings_of(context).need_storage()
    present(context, Presentation(job=job.id))


async def list_all(service: Research, context: ToolContext) -> Result:
    """Has all runs and schedules of the user listed."""
    jobs = await service.jobs(context.session.user_id)
    repeated = schedule_texts.listing(await service.schedules.of_user(context.session.user_id))
    example = next((job for job in jobs if job.state is State.COMPLETED), jobs[0] if jobs else None)
    hint = f"To see one, say its name, such as “show {example.id}”." if example else ""
    present(context, Presentation(texts=("\n\n".join(filter(None, (listing(jobs), repeated, hint))),)))
    return {"runs": [result_of(job) for job in jobs[:20]], "next": "the list was shown to the user"}


def present_schedule(context: ToolContext, schedule: Schedule, *, resumes: bool = False) -> None:
    """Has a schedule shown: as a question if it waits for a yes.

    Args:
        resumes: whether the user wants a paused schedule to start runs again, which needs a yes.
    """
    waits = schedule_texts.waits_for_yes(schedule, (schedule.id,) if resumes else ())
    text = schedule_texts.question(schedule) if waits else schedule_texts.listing([schedule])
    present(context, Presentation(texts=(text,), asks=(schedule.id, Action.SCHEDULE) if waits else None))
