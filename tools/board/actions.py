"""The actions of the page's buttons. Each function changes at most one job, through the research service.

A button works only if the job has not changed since its page was shown: `seen` is compared before anything is done, and
the ledger compares the version again in the transaction that starts something.
"""

from __future__ import annotations

from contextlib import aclosing

from tools.board.errors import Outdated
from tools.board.forms import NewResearch
from tools.board.job_states import label, phase, seen
from tools.board.timeouts import ANSWER_WAIT_S
from tools.research.follow_up import AnswerLater
from tools.research.job import Job
from tools.research.job_errors import UnknownJob
from tools.research.open_questions import Action, Question, Yes
from tools.research.order import OUTSIDE_CONVERSATIONS
from tools.research.order_actions import job_of_other_session
from tools.research.screening import TextScreener, screen_text
from tools.research.service import Research
from tools.research.settings import ResearchSettings


async def own_job(service: Research, user: str, job_id: str, *, with_files: bool = False) -> Job:
    """Returns a user's job.

    Args:
        with_files: whether it has the files of its order, which may be large.

    Raises:
        UnknownJob: the user has no such job. The message does not show whether another user has it.
    """
    if (job := await service.own_job(user, job_id, with_files=with_files)) is None:
        raise UnknownJob("the user has no such research run")
    return job


async def order(
    service: Research, settings: ResearchSettings, user: str, wanted: NewResearch, screen: TextScreener | None
) -> tuple[Job, bool]:
    """Saves an order, which then waits for a yes to its price. Starts nothing.

    Returns:
        The job, and whether it is new. An equal order, for example from a conversation, has the same job.
    """
    settings.need_storage()
    await screen_text(screen, "user_messages", f"{wanted.title}\n{wanted.brief}")
    placed = settings.order(
        wanted.brief,
        title=wanted.title,
        user=user,
        session=OUTSIDE_CONVERSATIONS,
        use_max=wanted.use_max,
        plan=wanted.plan_first,
    )
    if known := await job_of_other_session(service.ledger, await service.jobs(user), placed):
        return known, False
    return await service.start(placed, limits=settings.limits, confirm=True)


async def approve(service: Research, settings: ResearchSettings, job: Job, shown: str) -> None:
    """Approves the price or the plan of a waiting job. Does nothing if it no longer waits, as after a second click."""
    if phase(job) != "waiting":
        return
    _check(job, shown)
    settings.need_storage()
    approved = await service.approve(job.id, limits=settings.limits, yes=await _yes(service, job))
    if phase(approved) == "waiting":  # another request changed the plan at the same moment
        _check(approved, shown)
    await resume(service, job)


async def revise(
    service: Research, settings: ResearchSettings, job: Job, shown: str, changes: str, screen: TextScreener | None
) -> None:
    """Starts another plan."""
    _check(job, shown)
    settings.need_storage()
    await screen_text(screen, "user_messages", changes)
    await service.revise(job.id, changes, limits=settings.limits, yes=await _yes(service, job))
    await resume(service, job)


async def rewrite(service: Research, job: Job, shown: str, brief: str, title: str, screen: TextScreener | None) -> None:
    """Replaces the brief of a job whose price waits for a yes."""
    _check(job, shown)
    await screen_text(screen, "user_messages", f"{title}\n{brief}")
    await service.rewrite(job.id, brief, title)


async def cancel(service: Research, job: Job, shown: str) -> None:
    """Cancels a run, or drops an order that waits."""
    _check(job, shown)
    await service.cancel(job.id)


async def delete(service: Research, job: Job, shown: str) -> list[str]:
    """Deletes a job with its report, and returns the receipt."""
    _check(job, shown)
    return await service.forget(job.id)


async def again(service: Research, settings: ResearchSettings, job: Job) -> Job:
    """Orders an old run again, which then waits for a yes to its price. Returns the new job.

    Args:
        job: the old run, with its files.
    """
    settings.need_storage()
    return await service.start_again(job, limits=settings.limits, confirm=True, notify=[*settings.notify])


async def resume(service: Research, job: Job) -> None:
    """Continues the work on a job in the background, and asks the server again for its result."""
    async with aclosing(service.watch(job.id, 0)) as lines:
        async for _ in lines:
            pass


async def ask(
    service: Research,
    settings: ResearchSettings,
    job: Job,
    question: str,
    screen: TextScreener | None,
) -> bool:
    """Asks a model about a job's report. Returns whether the answer has arrived; if it has not, it comes later."""
    settings.need_storage()
    await screen_text(screen, "user_messages", question)
    model, limits = settings.follow_up_model, settings.limits
    try:
        await service.follow_ups.ask_once(
            job.id, question, model, OUTSIDE_CONVERSATIONS, limits=limits, timeout_s=ANSWER_WAIT_S
        )
    except AnswerLater:
        return False
    return True


def _check(job: Job, shown: str) -> None:
    if shown != seen(job):
        raise Outdated(
            f"This research has changed since the page was shown; now it is: {label(job)}. Nothing was done."
        )


async def _yes(service: Research, job: Job) -> Yes:
    """Returns the yes that the page's button gives to this version of the job. Each click gives the same yes."""
    shown = f"board {job.id} {job.version} {job.updated}"
    question = Question(job.order.user, OUTSIDE_CONVERSATIONS, job.id, Action.START, job.version, shown)
    await service.ledger.save_question(question)
    return Yes(question, shown)
