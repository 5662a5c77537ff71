"""The tools that the researcher's model calls. Tools that spend money or delete data pass the gate (confirmation.py).

A tool that succeeds ends the model's loop and passes a `Presentation` to the agent's code, which shows it unchanged. A
tool that refuses returns `{"error": …}`, which the model explains to the user. In both cases, no data is half written.
"""

from __future__ import annotations

from typing import Literal

from google.adk.tools import ToolContext

from tools.errors import BadArgument
from tools.research.factory import research
from tools.research.job_errors import NotFinished
from tools.research.job_states import State
from tools.research.job_texts import title
from tools.research.open_questions import Action, NotConfirmed
from tools.research.order import MAX_TITLE_CHARS
from tools.research.order_actions import job_of_other_session
from tools.research.report.markdown_rendering import inert
from tools.research.service import Research
from tools.researcher import confirmation, schedule_answers, schedule_texts
from tools.researcher.brief_files import inputs_of, newest_files
from tools.researcher.mentioned_runs import named_run, note_mentioned_run, unnamed_run
from tools.researcher.presenter import Presentation, present
from tools.researcher.report_files import delete_report_files
from tools.researcher.run_texts import ONE_OF_SEVERAL, cancelled, deletion, kept
from tools.researcher.tool_arguments import check_length, checked_texts, settings_of
from tools.researcher.tool_errors import refusing_tool
from tools.researcher.tool_results import Result, list_all, ordered, present_schedule, result_of, show_run

_ORDERED_BEFORE = "it was ordered before: repeat_research orders it once more"


@refusing_tool
async def start_research(
    title: str,
    brief: str,
    tool_context: ToolContext,
    depth: Literal["standard", "max"] = "standard",
    plan_first: bool = False,
    builds_on: str = "",
    with_files: bool = False,
) -> Result:
    """Orders a new research run. Writes the order down and shows the user its price; the user's yes comes later.

    Call it once for each topic. Do not call it for a question that a report in the list can answer, nor for a topic
    whose run is in the list already.

    Args:
        title: A few words by which the user knows it again, in the user's language.
        brief: The whole task for somebody who has not read this conversation, in the user's language. Resolve every
            reference ("that", "the second one"). Say the period, region, audience, form, length and language if the
            conversation names them. Leave out words to you, such as "please" or "show me a plan first".
        depth: "max" only if the user asks for Deep Research Max or for the most thorough and expensive research.
        plan_first: True if the user wants to see a plan before the run.
        builds_on: Id of a completed run that this one continues or goes deeper into; else empty.
        with_files: True if files of the user's message belong to the task.
    """
    service, settings = research(), settings_of(tool_context)
    settings.need_storage()
    title, brief = checked_texts(title, brief)
    if depth not in ("standard", "max"):
        raise BadArgument(f"`depth` is {depth!r}: it is standard or max")
    for name, value in (("plan_first", plan_first), ("with_files", with_files)):
        if not isinstance(value, bool):
            raise BadArgument(f"`{name}` is {value!r}: it is true or false")
    if depth == "max" and not settings.max_agent:
        raise BadArgument("there is no Deep Research Max here: offer a standard run")
    session = tool_context.session
    content, left = inputs_of(newest_files(session.events, tool_context.user_content)) if with_files else ([], [])
    order = settings.order(
        brief,
        title=title,
        user=session.user_id,
        session=session.id,
        inputs=content,
        use_max=depth == "max",
        plan=plan_first,
    )
    if builds_on:
        base = await named_run(service, tool_context, builds_on)
        order = await service.with_base(base.id, order)
    if found := await job_of_other_session(service.ledger, await service.jobs(order.user), order):
        present(tool_context, Presentation(job=found.id))
        return result_of(found, next=_ORDERED_BEFORE)
    job, new = await service.start(order, limits=settings.limits, confirm=settings.asks(order))
    notes = [f"Left out, since Deep Research does not take it: {', '.join(left)}."] if new and left else []
    next_step = "wait until the user says yes or no" if new else _ORDERED_BEFORE
    return ordered(tool_context, job, new, notes, next_step)


@refusing_tool
async def approve(job_id: str, tool_context: ToolContext, deletes: bool = False) -> Result:
    """Applies the user's yes to a price, a plan, a schedule or a deletion that waits for it.

    Call it only if the user's last message says yes to it. It is refused in the turn that asked the question.

    Args:
        job_id: Id of the run or schedule that waits for a yes.
        deletes: True if a deletion waits, and the yes is to that; else false.
    """
    try:
        return await _approve(job_id, tool_context, deletes)
    except confirmation.SeveralWait:
        return await _ask_alone(job_id, tool_context, deletes)


async def _approve(job_id: str, tool_context: ToolContext, deletes: bool) -> Result:
    service, settings = research(), settings_of(tool_context)
    if schedule := await schedule_answers.find(service, tool_context.session.user_id, job_id):
        if deletes:
            raise NotConfirmed(f"nothing was done about {schedule.id}: no deletion of it waits for a yes")
        settings.need_storage()
        text = await schedule_answers.approve(service, _turn(tool_context), schedule)
        present(tool_context, Presentation(texts=(text,)))
        return {"schedule": schedule.id, "next": "the user was told"}
    job, turn = await named_run(service, tool_context, job_id), _turn(tool_context)
    if deletes is not await _deleting(service, turn, job.id):
        waits = "no deletion of it waits for a yes" if deletes else "the question that waits is whether to delete it"
        raise NotConfirmed(f"nothing was done about {job.id}: {waits}")
    if deletes:
        await confirmation.confirm(service.ledger, turn, job.id, Action.DELETE, job.stamp)
        try:
            lines = await service.forget(job.id)
            if count := await delete_report_files(tool_context.get_invocation_context(), job):
                lines.append(f"{count} files of its report: deleted")
            lines.append("what this conversation has shown of it stays here until you say “forget this conversation”")
        except BaseException:  # the yes is used up: ask again, also after a timeout
            job = await service.ledger.get(job.id) or job
            await service.ledger.save_question(turn.question(job.id, Action.DELETE, job.stamp))
            raise
        receipt = "\n".join(f"- {line}" for line in lines)
        present(tool_context, Presentation(texts=(f"“{inert(title(job))}” is deleted:\n\n{receipt}",)))
        return {"job": job.id, "state": "deleted"}
    if job.state is not State.AWAITING_APPROVAL:
        show_run(tool_context, job)
        return result_of(job, next="it no longer waits for a yes: its state is shown")
    settings.need_storage()
    yes = await confirmation.yes_to(service.ledger, turn, job.id, Action.START, job.version)
    job = await service.approve(job.id, limits=settings.limits, yes=yes)
    present(tool_context, Presentation(job=job.id, is_new=True))
    return result_of(job)


async def _ask_alone(job_id: str, context: ToolContext, deletes: bool) -> Result:
    """Shows one of several questions without the others, so that the next yes is to it."""
    service, next_step = research(), "several questions waited: only this one was shown again, and waits for a yes"
    if schedule := await schedule_answers.find(service, context.session.user_id, job_id):
        texts, asks = (ONE_OF_SEVERAL, schedule_texts.question(schedule)), (schedule.id, Action.SCHEDULE)
        present(context, Presentation(texts=texts, asks=asks))
        return {"schedule": schedule.id, "next": next_step}
    job = await named_run(service, context, job_id)
    if deletes:
        present(context, Presentation(texts=(ONE_OF_SEVERAL, deletion(job)), asks=(job.id, Action.DELETE)))
    else:
        present(context, Presentation(texts=(ONE_OF_SEVERAL,), job=job.id))
    return result_of(job, next=next_step)


@refusing_tool
async def revise(job_id: str, wishes: str, tool_context: ToolContext, brief: str = "", title: str = "") -> Result:
    """Changes a run that waits for a yes: asks for another plan, or rewrites the brief if there is no plan yet.

    Another plan costs money. Call it only if the user's last message names a change. Praise, thanks, a comment, a
    complaint or a question is no change: answer in words, and say that nothing has started. It changes words only: for
    another depth, other files or a plan first, call cancel_research and start_research. A run that has started cannot
    be changed: offer to cancel it and to order a new one.

    Args:
        job_id: Id of the run that waits for a yes.
        wishes: What the user wants to be different, in the user's words.
        brief: If it has no plan yet: the whole brief with the changes in it. Else empty.
        title: If the topic has changed with the brief: a few words by which the user knows it again. Else empty.
    """
    service, settings = research(), settings_of(tool_context)
    job, turn = await named_run(service, tool_context, job_id), _turn(tool_context)
    if job.state is not State.AWAITING_APPROVAL:
        raise NotFinished(f"{job.id} is {job.state.words}: only what waits for a yes can be changed")
    brief, title = brief.strip(), title.strip()
    if job.plan is None:
        if not brief:
            raise BadArgument(f"{job.id} has no plan yet: call revise again with the whole new brief in `brief`")
        check_length(brief)
        job = await service.rewrite(job.id, brief, title[:MAX_TITLE_CHARS])
        return ordered(tool_context, job, True, [], "wait until the user says yes or no")
    if not wishes.strip():
        raise BadArgument("`wishes` is empty: ask the user what is to be changed in the plan")
    settings.need_storage()
    if not confirmation.can_change(turn, turn.question(job.id, Action.START, job.version).mark, job.id):
        texts = ("Nothing is changed yet. This is the plan; say once more, right after it, what is to be different.",)
        present(tool_context, Presentation(texts=texts, job=job.id))
        return result_of(job, next="its plan was shown again: a change has to follow it directly")
    yes = await confirmation.yes_to(service.ledger, turn, job.id, Action.START, job.version)
    job = await service.revise(job.id, wishes.strip(), limits=settings.limits, yes=yes)
    present(tool_context, Presentation(job=job.id, is_new=True))
    return result_of(job, next="a new plan is made and shown")


@refusing_tool
async def show_research(tool_context: ToolContext, job_id: str = "") -> Result:
    """Shows how a run stands, watches it, and shows its plan or report. It costs nothing.

    Args:
        job_id: Id of the run or the schedule; empty: the newest run of this conversation, or the user's only run.
    """
    service = research()
    if schedule := await schedule_answers.find(service, tool_context.session.user_id, job_id):
        present_schedule(tool_context, schedule)
        return {"schedule": schedule.id, "status": schedule.status.value, "next": "it was shown"}
    if job_id:
        job = await named_run(service, tool_context, job_id)
    else:
        found = await unnamed_run(service, tool_context)
        if found is None:
            return await list_all(service, tool_context)
        job = found
        note_mentioned_run(tool_context, job)
    show_run(tool_context, job)
    return result_of(job)


@refusing_tool
async def list_research(tool_context: ToolContext) -> Result:
    """Lists all research runs and schedules of the user, also those of other conversations."""
    return await list_all(research(), tool_context)


@refusing_tool
async def ask_report(job_id: str, question: str, tool_context: ToolContext) -> Result:
    """Answers a question about a finished report, or makes something of it: a summary, slides, a table, a translation.

    It costs some cents and starts no new run. The answer is shown to the user as it is.

    Args:
        job_id: Id of the run whose report is meant.
        question: What the user wants to know or to have, complete in itself, in the user's language.
    """
    service, settings = research(), settings_of(tool_context)
    job = await named_run(service, tool_context, job_id)
    if not question.strip():
        raise BadArgument("`question` is empty: say what the user wants to know")
    settings.need_storage()
    session = tool_context.session.id
    answer = await service.follow_ups.ask_once(
        job.id, question.strip(), settings.follow_up_model, session, limits=settings.limits
    )
    text = f"About the report `{job.id}` (“{inert(title(job))}”):\n\n{inert(answer)}"
    present(tool_context, Presentation(texts=(text,)))
    return result_of(job, next="the answer was shown to the user")


@refusing_tool
async def cancel_research(job_id: str, tool_context: ToolContext) -> Result:
    """Ends a run, at the server too, or a schedule; or applies the user's no to what waits for a yes.

    Args:
        job_id: Id of the run or the schedule.
    """
    service = research()
    if schedule := await schedule_answers.find(service, tool_context.session.user_id, job_id):
        text = await schedule_answers.end(service, _turn(tool_context), schedule)
        present(tool_context, Presentation(texts=(text,)))
        return {"schedule": schedule.id, "next": "the user was told"}
    job, turn = await named_run(service, tool_context, job_id), _turn(tool_context)
    if await _deleting(service, turn, job.id):
        await service.ledger.withdraw_questions(turn.user, turn.session, job.id)
        present(tool_context, Presentation(texts=(kept(job),)))
        return result_of(job, next="it is kept")
    job = await service.cancel(job.id)
    await service.ledger.withdraw_questions(turn.user, turn.session, job.id)
    present(tool_context, Presentation(texts=(cancelled(job),)))
    return result_of(job)


@refusing_tool
async def repeat_research(job_id: str, tool_context: ToolContext) -> Result:
    """Orders an old run once more, at a new price; the user's yes comes later. Not for showing a report again.

    Args:
        job_id: Id of the run to repeat.
    """
    service, settings = research(), settings_of(tool_context)
    settings.need_storage()
    old = await named_run(service, tool_context, job_id)
    job = await service.start_again(
        old,
        session=tool_context.session.id,
        limits=settings.limits,
        confirm=settings.asks(old.order),
        notify=[*settings.notify],
    )
    new = job.id != old.id
    return ordered(tool_context, job, new, [], "wait until the user says yes or no")


@refusing_tool
async def delete_research(job_id: str, tool_context: ToolContext) -> Result:
    """Asks the user whether a run and its report are to be deleted everywhere; the user's yes comes later.

    To end a schedule, call cancel_research.

    Args:
        job_id: Id of the run.
    """
    service, turn = research(), _turn(tool_context)
    job = await named_run(service, tool_context, job_id)
    await service.ledger.save_question(turn.question(job.id, Action.DELETE, job.stamp))
    present(tool_context, Presentation(texts=(deletion(job),), asks=(job.id, Action.DELETE)))
    return result_of(job, next="wait until the user says yes or no")


async def _deleting(service: Research, turn: confirmation.TurnContext, job_id: str) -> bool:
    asked = await service.ledger.questions(turn.user, turn.session, subject=job_id)
    return any(question.action is Action.DELETE for question in asked)


def _turn(context: ToolContext) -> confirmation.TurnContext:
    return confirmation.turn_of(context.get_invocation_context())
