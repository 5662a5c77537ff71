"""Carries out the tools: checks that the job is the caller's own, calls the research service, and describes the result.

A tool returns data or text. It raises a `DeskError` whose sentence is for the caller; nothing is half done then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from tools.errors import BadArgument
from tools.mcp_server import arguments, job_status, question_texts
from tools.mcp_server.confirmation import Answer, Dialog, check_amount, open_question, shown_question, yes_to
from tools.mcp_server.limits import JOBS_PER_PAGE, MAX_TOOL_WAIT_S, SEND_POLL_S, SEND_WAIT_S
from tools.mcp_server.report_text import answer_text, report_text
from tools.research.factory import research
from tools.research.follow_up import AnswerLater
from tools.research.job import Job
from tools.research.job_errors import NotFinished, UnknownJob
from tools.research.job_states import State
from tools.research.open_questions import Question
from tools.research.order import OUTSIDE_CONVERSATIONS
from tools.research.order_actions import job_of_other_session
from tools.research.report.report import Report
from tools.research.screening import Screened, TextScreener, screen_text
from tools.research.service import Research
from tools.research.settings import ResearchSettings, research_settings

Result = dict[str, Any] | str
_NOTHING_DONE: dict[Answer, str] = {
    "no": "The person said no: nothing was started.",
    "none": "The person did not answer: nothing was started.",
}


@dataclass(frozen=True)
class Call:
    """One call of a tool."""

    user: str
    dialog: Dialog
    progress: Callable[[float, str | None], Awaitable[None]]
    """Reports progress to the client: a number that grows, and a line."""


class ResearchTools:
    """The tools, over the research service of the running event loop."""

    def __init__(self, screen: TextScreener | None = None) -> None:
        self._screen = screen

    async def start(self, call: Call, given: arguments.Start) -> Result:
        service, settings = research(), research_settings()
        settings.need_storage()
        await self._screen_text("user_messages", f"{given.title}\n{given.brief}")
        if given.depth == "max" and not settings.max_agent:
            raise BadArgument("`depth`: there is no Deep Research Max here; leave it out for a standard run")
        order = settings.order(
            given.brief,
            title=given.title,
            user=call.user,
            session=OUTSIDE_CONVERSATIONS,
            use_max=given.depth == "max",
            plan=given.plan_first,
        )
        if given.builds_on:
            base = await own_job(service, call.user, given.builds_on)
            order = await service.with_base(base.id, order)
        known = [] if given.again else await service.jobs(call.user)
        job = await job_of_other_session(service.ledger, known, order)
        if job is None:
            job, new = await service.start(order, limits=settings.limits, confirm=settings.asks(order))
            if given.again and not new:
                job = await service.start_again(job, limits=settings.limits, confirm=True, notify=order.notify)
        if job.state is not State.AWAITING_APPROVAL:
            return self._data(await _once_sent(service, job))
        if not call.dialog.can_ask:
            return await self._question(service, job)
        return await self._ask(call, service, settings, job)

    async def status(self, call: Call, given: arguments.Status) -> Result:
        service = research()
        job = await own_job(service, call.user, given.job)
        if job.state is State.INTENDED:  # watching sends an unsent job, and the server has to store its run
            research_settings().need_storage()
        await _watch(service, job, given.wait_seconds, call, with_lines=self._screen is None)
        job = await service.job(job.id)
        return await self._question(service, job) if job.state is State.AWAITING_APPROVAL else self._data(job)

    async def report(self, call: Call, given: arguments.Report) -> Result:
        job, report = await self.own_report(call.user, given.job)
        return await asyncio.to_thread(report_text, job, report, given)

    async def ask(self, call: Call, given: arguments.Ask) -> Result:
        """A question costs some cents. The same question gets its first answer again, also after a timeout."""
        service, settings = research(), research_settings()
        job = await own_job(service, call.user, given.job)
        settings.need_storage()
        await self._screen_text("user_messages", given.question)
        try:
            text = await service.follow_ups.ask_once(
                job.id,
                given.question,
                settings.follow_up_model,
                OUTSIDE_CONVERSATIONS,
                limits=settings.limits,
                timeout_s=MAX_TOOL_WAIT_S,
            )
        except AnswerLater as later:
            return self._data(job) | {"next": str(later)}
        await self._screen_text("reports", text)
        return await asyncio.to_thread(answer_text, job, text, given.page)

    async def approve(self, call: Call, given: arguments.Approve) -> Result:
        service, settings = research(), research_settings()
        job = await own_job(service, call.user, given.job)
        if job.state is not State.AWAITING_APPROVAL:
            return self._data(job)
        return await self._continue(call, service, settings, job, given.max_usd)

    async def revise(self, call: Call, given: arguments.Revise) -> Result:
        service, settings = research(), research_settings()
        job = await own_job(service, call.user, given.job)
        if job.state is not State.AWAITING_APPROVAL or job.plan is None:
            raise NotFinished(f"{job.id} has no plan that could be changed: it is {job.state.words}")
        await self._screen_text("user_messages", given.changes)
        return await self._continue(call, service, settings, job, given.max_usd, given.changes)

    async def cancel(self, call: Call, given: arguments.Cancel) -> Result:
        service = research()
        job = await service.cancel((await own_job(service, call.user, given.job)).id)
        await service.ledger.withdraw_questions(call.user, OUTSIDE_CONVERSATIONS, job.id)
        return self._data(job)

    async def list(self, call: Call, given: arguments.List) -> Result:
        jobs = await research().jobs(call.user)
        pages = max(-(-len(jobs) // JOBS_PER_PAGE), 1)
        if given.page > pages:
            raise BadArgument(f"`page` is {given.page}, and the last page is {pages}")
        first = (given.page - 1) * JOBS_PER_PAGE
        return {
            "runs": job_status.listing(jobs[first : first + JOBS_PER_PAGE]),
            "page": f"{given.page} of {pages}",
            "next": "research_status, research_report" if jobs else "research_start orders a research run",
        }

    async def own_report(self, user: str, job_id: str) -> tuple[Job, Report]:
        """Returns a user's job with its report.

        Raises:
            UnknownJob, NotFinished: the user has no such job, or it has no report.
            Withheld: the report must not be shown.
        """
        service = research()
        job = await own_job(service, user, job_id)
        report = await service.report(job.id)
        if report is None:
            raise NotFinished(f"{job.id} has no report: it is {job.state.words}. {job_status.next_step(job)}")
        await self._screen_text("reports", report.text)
        return job, report

    async def _continue(
        self,
        call: Call,
        service: Research,
        settings: ResearchSettings,
        job: Job,
        max_usd: float,
        changes: str = "",
    ) -> Result:
        """Starts a waiting job's plan or run, or makes another plan, if the amount is right and the person agrees."""
        settings.need_storage()
        check_amount(job, max_usd, question_texts.revision_price(job) if changes else question_texts.price(job))
        if call.dialog.can_ask:
            return await self._ask(call, service, settings, job, changes)
        return await self._begin(service, settings, job, await shown_question(service.ledger, job), changes)

    async def _ask(
        self, call: Call, service: Research, settings: ResearchSettings, job: Job, changes: str = ""
    ) -> Result:
        """Asks the person through the client, and starts what an accepted answer allows."""
        if job.plan:
            await self._screen_text("reports", job.plan.text)
        question = await open_question(service.ledger, job)
        text = question_texts.revision_question(job, changes) if changes else question_texts.question(job)
        answer = await call.dialog.ask(question, text)
        if answer == "yes":
            return await self._begin(service, settings, job, question, changes)
        await service.ledger.withdraw_questions(call.user, OUTSIDE_CONVERSATIONS, job.id)  # it has to be shown again
        waits = f"{_NOTHING_DONE[answer]} It waits: research_approve asks again, research_cancel drops it."
        return self._data(job) | {"answer": answer, "next": waits}

    async def _begin(
        self, service: Research, settings: ResearchSettings, job: Job, question: Question, changes: str = ""
    ) -> Result:
        """Uses up a yes: starts a plan or a run, or with `changes` another plan."""
        yes = yes_to(question)
        if changes:
            job = await service.revise(job.id, changes, limits=settings.limits, yes=yes)
        else:
            job = await service.approve(job.id, limits=settings.limits, yes=yes)
        await _watch(service, job, 0)  # sends it
        return self._data(await _once_sent(service, job))

    async def _question(self, service: Research, job: Job) -> Result:
        """Returns a waiting job with its question, which the client shows to the person."""
        if job.plan:
            await self._screen_text("reports", job.plan.text)
        await open_question(service.ledger, job)
        return self._data(job) | question_texts.ask_first(job)

    def _data(self, job: Job) -> dict[str, Any]:
        return job_status.as_data(job, time.time(), with_line=self._screen is None)

    async def _screen_text(self, what: Screened, text: str) -> None:
        await screen_text(self._screen, what, text)


async def own_job(service: Research, user: str, job_id: str) -> Job:
    """Returns a user's job.

    Raises:
        UnknownJob: the user has no such job. The message does not show whether another user has it.
    """
    if (job := await service.own_job(user, job_id)) is None:
        raise UnknownJob(f"you have no research run {job_id!r}: research_list shows what there is")
    return job


async def _once_sent(service: Research, job: Job) -> Job:
    """Returns a job once it is being sent, or after `SEND_WAIT_S`. A process that ends finishes what it sends."""
    end = time.monotonic() + SEND_WAIT_S
    while job.state is State.INTENDED and time.monotonic() < end:
        await asyncio.sleep(SEND_POLL_S)
        job = await service.job(job.id)
    return job


async def _watch(
    service: Research, job: Job, seconds: float, call: Call | None = None, *, with_lines: bool = True
) -> None:
    """Follows a job until it ends, waits for a person, or the seconds are over."""
    number = 0
    async with aclosing(service.watch(job.id, seconds)) as lines:
        async for line in lines:
            number += 1
            if call:
                await call.progress(number, line if with_lines else None)
