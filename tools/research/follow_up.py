"""Asks models about finished runs. A question that was asked before, or is being asked anywhere, is not paid for again.

Each question continues from the last answer. The server keeps the questions and the answers, and so does the ledger.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tools.errors import DeskError
from tools.research.api_client import InteractionsClient
from tools.research.api_errors import ApiError, NotFound
from tools.research.job import FollowUpAnswer, Job
from tools.research.job_interactions import JobInteractions
from tools.research.job_texts import report_context
from tools.research.ledger import Ledger
from tools.research.locks import Locked
from tools.research.quotas import Quotas, question_check
from tools.research.report.markdown_rendering import to_markdown
from tools.research.report.reading import read_report
from tools.research.report.report import Report
from tools.research.spending import spending_of_question
from tools.research.timeouts import ANSWER_LEASE_FACTOR, ANSWER_POLL_INTERVAL_S, MAX_ANSWER_WAIT_S
from tools.text.did_you_mean import did_you_mean

log = logging.getLogger(__name__)


class NoAnswer(DeskError):
    """The model has answered a question with nothing. The message says what to do."""


class AnswerLater(DeskError):
    """The answer is not there in time. This process, or another one that was asked first, still waits for it."""


class UnknownModel(ApiError):
    """The server does not have the model that answers questions. The message names the setting to change."""

    def __init__(self, model: str, error: ApiError) -> None:
        from tools.interactions.model_catalog import known_names  # imported late: it loads the SDK

        near = did_you_mean(model, [name for name in known_names("model") if name != model])
        super().__init__(
            f"`follow_up_model: {model}` in configs/researcher.yaml is not known to the server{near}: {error}"
        )
        self.status = error.status


class FollowUps:
    """The questions about the reports of one ledger's runs."""

    def __init__(
        self,
        ledger: Ledger,
        client: InteractionsClient,
        data: JobInteractions,
        finished: Callable[[str, str], Awaitable[tuple[Job, Report]]],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """Args:
        finished: returns a job with its report; see `Research.finished`.
        """
        self._ledger, self._client, self._data, self._finished = ledger, client, data, finished
        self._clock, self._sleep = clock, sleep
        self._answer_tasks: dict[tuple[str, str], asyncio.Task[str]] = {}
        """Questions that this process answers, by job and question. Each has one task, which may ask the model."""
        self._model_requests: set[asyncio.Task[str]] = set()
        """Requests to models. They continue without their caller, because only a recorded answer can be deleted."""

    async def ask_once(
        self,
        job_id: str,
        question: str,
        model: str,
        session: str = "",
        *,
        limits: Quotas | None = None,
        timeout_s: float = MAX_ANSWER_WAIT_S,
    ) -> str:
        """Returns the answer to a question about a finished run, as Markdown with its sources.

        A model is asked only if the question has no answer yet and no other process is asking it. If a process was
        killed while it asked, the question can be asked again when its lock has expired.

        Raises:
            AnswerLater: the answer is not there in time; the same question gets it later.
            NoAnswer: the model has answered nothing.
            UnknownJob, NotFinished: there is no such report.
            WrongBackend: the run belongs to another server.
            LimitReached: the user has spent too much.
            UnknownModel: the server does not have the model.
            ApiError: the model could not be asked.
        """
        key = job_id, _normalized(question)
        task = self._answer_tasks.get(key)
        if task is None:
            task = self._answer_tasks[key] = asyncio.create_task(self._answer(job_id, question, model, session, limits))
            task.add_done_callback(lambda done: self._forget(key, done))
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
        if not done or task.cancelled():  # the task is cancelled if its lock is lost
            raise AnswerLater(f"the answer about {job_id} is not there yet: ask the same question again for it")
        if not (text := task.result()):
            raise NoAnswer(
                f"the model has answered nothing to this question about {job_id}, and is not paid for it again:"
                " ask in other words"
            )
        return text

    async def close(self, timeout_s: float) -> None:
        """Waits for the answers of models, for a limited time. Then gives up the rest, and the locks on them."""
        if self._model_requests:
            await asyncio.wait(self._model_requests, timeout=timeout_s)
        for task in self._answer_tasks.values():
            task.cancel()

    def _forget(self, key: tuple[str, str], task: asyncio.Task[str]) -> None:
        del self._answer_tasks[key]
        if not task.cancelled():
            task.exception()  # else asyncio logs an error if the callers have left

    async def _answer(self, job_id: str, question: str, model: str, session: str, limits: Quotas | None) -> str:
        """Returns the known answer to a question, waits for another process's answer, or asks a model."""
        name = f"ask/{job_id}/{hashlib.sha256(_normalized(question).encode()).hexdigest()}"
        while (text := await self._known(job_id, question)) is None:
            with suppress(Locked):
                async with self._ledger.locks.hold(name, ANSWER_LEASE_FACTOR * self._client.model_timeout_s):
                    text = await self._known(job_id, question)
                    return await self._ask(job_id, question, model, session, limits) if text is None else text
            await self._sleep(ANSWER_POLL_INTERVAL_S)
        return text

    async def _known(self, job_id: str, question: str) -> str | None:
        """Returns the answer in the ledger; empty if the model has answered nothing; None if there is no answer."""
        job, wanted = await self._ledger.get(job_id, with_files=False), _normalized(question)
        answers = job.follow_ups if job else ()
        return next((known.text for known in answers if _normalized(known.question) == wanted), None)

    async def _ask(self, job_id: str, question: str, model: str, session: str, limits: Quotas | None) -> str:
        job, report = await self._finished(job_id, "to ask about")
        self._data.check(job)
        entry = spending_of_question(job, model, self._clock())
        await self._ledger.record_spending(job, entry, question_check(limits, entry) if limits else None)
        asking = asyncio.create_task(ask_model(self._ledger, self._client, job, report, question, model, session))
        self._model_requests.add(asking)
        asking.add_done_callback(self._model_requests.discard)
        return await asyncio.shield(asking)


async def ask_model(
    ledger: Ledger, client: InteractionsClient, job: Job, report: Report, question: str, model: str, session: str = ""
) -> str:
    """Asks a model about a job's report, saves the answer with the job, and returns it; empty if it has no text.

    The question continues from the job's newest interaction. If the server no longer has that interaction, the model
    gets the report and the earlier answers instead.

    Raises:
        UnknownModel: the server does not have the model.
        ApiError: the model could not be asked.
    """
    try:
        resource = await client.ask(model, question, job.latest_interaction_id)
    except NotFound:
        text = f"{report_context(report, job.follow_ups)}\n\n---\nAnswer this from what stands above: {question}"
        try:
            resource = await client.ask(model, text, None)
        except NotFound as again:  # this request names only the model
            raise UnknownModel(model, again) from again
    read = read_report(resource)
    text = to_markdown(read).strip() if read.text.strip() else ""
    answer = FollowUpAnswer(question, text, resource["id"], tuple(resource["earlier_ids"]), session)
    if not await ledger.add_answer(job.id, answer):
        await _delete(client, answer)
    return text


async def _delete(client: InteractionsClient, answer: FollowUpAnswer) -> None:
    """Deletes an answer at the server after its job was deleted: the ledger has no record of the answer."""
    for interaction_id in filter(None, (answer.interaction_id, *answer.earlier)):
        try:
            await client.delete(interaction_id)
        except ApiError as error:
            log.warning("the answer %s stays at the server: %s", interaction_id, error)


def _normalized(question: str) -> str:
    """A question in lower case with single spaces. Questions that are equal then count as the same."""
    return " ".join(question.split()).casefold()
