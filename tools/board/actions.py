"""What the page's buttons do. Each function changes at most one job, by the research service.

A button counts only for the job as its page has shown it: `seen` is compared before anything is done, and the ledger
compares the version again in the transaction that starts something.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Literal, Protocol

from tools.board.forms import NewResearch
from tools.board.pages import label, phase, seen
from tools.errors import DeskError
from tools.research.config import ResearchSettings
from tools.research.errors import UnknownJob
from tools.research.job import OUTSIDE_CONVERSATIONS, Job
from tools.research.questions import Action, Question, Yes
from tools.research.repeated_orders import job_of_other_session
from tools.research.report.reading import Report
from tools.research.service import Research

ANSWER_WAIT_S = 25.0
"""Seconds for which a request waits for the answer to a question. The answer is saved in any case."""
Screened = Literal["user_messages", "reports"]


class Screen(Protocol):
    """A check of texts, such as the moderation gate."""

    async def __call__(self, what: Screened, text: str) -> str:
        """Returns what the person sees instead of a text; empty if the text may be used."""


class Outdated(DeskError):
    """The job is in another state than the form's page has shown."""


class Withheld(DeskError):
    """A text must not be used or shown. The message is the policy's."""


async def own_job(service: Research, user: str, job_id: str) -> Job:
    """Returns a user's job.

    Raises:
        UnknownJob: the user has no such job. The message is the same if another user has one.
    """
    job = await service.ledger.get(job_id)
    if job is None or job.order.user != user:
        raise UnknownJob("You have no research run of that name. It may have been deleted.")
    return job


async def admit(screen: Screen | None, what: Screened, text: str) -> None:
    """Checks a text, if there is a check.

    Raises:
        Withheld: it must not be used or shown.
    """
    if screen and (refusal := await screen(what, text)):
        raise Withheld(refusal)


async def order(
    service: Research, settings: ResearchSettings, user: str, wanted: NewResearch, screen: Screen | None
) -> tuple[Job, bool]:
    """Writes an order down, which then waits for a yes to its price. Starts nothing.

    Returns:
        The job, and whether it is new: the same order, also of a conversation, has one job.
    """
    settings.need_storage()
    await admit(screen, "user_messages", f"{wanted.title}\n{wanted.brief}")
    placed = settings.order(
        wanted.brief,
        title=wanted.title,
        user=user,
        session=OUTSIDE_CONVERSATIONS,
        use_max=wanted.use_max,
        plan=wanted.plan_first,
    )
    if known := job_of_other_session(await service.jobs(user), placed):
        return known, False
    return await service.start(placed, limits=settings.limits, confirm=True)


async def approve(service: Research, settings: ResearchSettings, job: Job, shown: str) -> None:
    """Starts what a job waits for. Does nothing if it does not wait any more, as after a repeated click."""
    if phase(job) != "waiting":
        return
    _check(job, shown)
    settings.need_storage()
    await service.approve(job.id, limits=settings.limits, yes=await _yes(service, job))
    await look(service, job)


async def revise(
    service: Research, settings: ResearchSettings, job: Job, shown: str, changes: str, screen: Screen | None
) -> None:
    """Starts another plan."""
    _check(job, shown)
    settings.need_storage()
    await admit(screen, "user_messages", changes)
    await service.revise(job.id, changes, limits=settings.limits, yes=await _yes(service, job))
    await look(service, job)


async def rewrite(service: Research, job: Job, shown: str, brief: str, title: str, screen: Screen | None) -> None:
    """Replaces the brief of a job whose price waits for a yes."""
    _check(job, shown)
    await admit(screen, "user_messages", f"{title}\n{brief}")
    await service.rewrite(job.id, brief, title)


async def cancel(service: Research, job: Job, shown: str) -> None:
    """Cancels a run, or drops an order that waits."""
    _check(job, shown)
    await service.cancel(job.id)


async def delete(service: Research, job: Job, shown: str) -> list[str]:
    """Deletes a job with its report, and returns the receipt."""
    _check(job, shown)
    return await service.forget(job.id)


async def look(service: Research, job: Job) -> None:
    """Continues to work on a job in the background, and reads again whether the server has its result."""
    async with aclosing(service.watch(job.id, 0)) as lines:
        async for _ in lines:
            pass


class Questions:
    """Asks a model about reports, the same question once at a time."""

    def __init__(self) -> None:
        self._answering: dict[tuple[str, str], asyncio.Task[Report]] = {}

    async def ask(
        self, service: Research, settings: ResearchSettings, job: Job, question: str, screen: Screen | None
    ) -> bool:
        """Asks a question that was not asked before about this report.

        Returns:
            Whether the answer is there. If not, it comes later.
        """
        settings.need_storage()
        await admit(screen, "user_messages", question)
        if any(each.text and _plain(each.question) == _plain(question) for each in job.follow_ups):
            return True
        key = (job.id, _plain(question))
        task = self._answering.get(key)
        if task is None:
            asked = service.follow_up(
                job.id, question, settings.follow_up_model, OUTSIDE_CONVERSATIONS, limits=settings.limits
            )
            task = self._answering[key] = asyncio.create_task(asked)
            task.add_done_callback(lambda _: self._answering.pop(key, None))
        if not (await asyncio.wait({task}, timeout=ANSWER_WAIT_S))[0]:
            return False
        task.result()
        return True


def _plain(question: str) -> str:
    return " ".join(question.split()).casefold()


def _check(job: Job, shown: str) -> None:
    if shown != seen(job):
        raise Outdated(
            f"This research has changed since the page was shown; now it is: {label(job)}. Nothing was done."
        )


async def _yes(service: Research, job: Job) -> Yes:
    """Returns the yes of the button on the page that has shown this version of the job: the same for each click."""
    shown = f"board {job.id} {job.version} {job.updated}"
    question = Question(job.order.user, OUTSIDE_CONVERSATIONS, job.id, Action.START, job.version, shown)
    await service.ledger.save_question(question)
    return Yes(question, shown)
