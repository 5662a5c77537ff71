"""Tells the researcher's model in its instruction which runs and schedules there are, and what was spent."""

from __future__ import annotations

import time
from collections.abc import Sequence

from google.adk.models import LlmRequest
from google.adk.tools import BaseTool, ToolContext

from tools.research.database_errors import DATABASE_ERRORS, describe_database_error
from tools.research.factory import research
from tools.research.job import Job
from tools.research.job_texts import title
from tools.research.open_questions import Action
from tools.research.quotas import LIMIT_PERIOD_S
from tools.research.spending import EMULATOR, Spending
from tools.researcher import confirmation, schedule_texts
from tools.researcher.mentioned_runs import mentioned_runs

MAX_LISTED_RUNS = 20
"""Maximum number of a conversation's runs that the model's instruction lists."""
MONTH_S = 30 * 86_400.0
"""A month, in seconds."""


class RunList(BaseTool):
    """Adds what the user has spent, and the runs that the conversation ordered or spoke about, to each model request.

    The model cannot call this tool.
    """

    def __init__(self) -> None:
        super().__init__(name="runs", description="The research runs of this conversation.")

    async def process_llm_request(self, *, tool_context: ToolContext, llm_request: LlmRequest) -> None:
        """Adds the tables and what was spent to the instruction."""
        turn = confirmation.turn_of(tool_context.get_invocation_context())
        service, now = research(), time.time()
        try:
            asked = await service.ledger.questions(turn.user, turn.session)
            subjects = {question.subject for question in asked}
            others = subjects.union(mentioned_runs(tool_context))
            repeated = await service.schedules.of_user(turn.user)
            spent = spent_by(await service.ledger.spending(user=turn.user, since=now - MONTH_S), now)
            jobs = [j for j in await service.jobs(turn.user) if j.order.session == turn.session or j.id in others]
        except DATABASE_ERRORS as error:
            text = f"The research runs of this conversation are not known: {describe_database_error(error)}."
        else:
            runs = runs_table(jobs, {question.subject for question in asked if question.action is Action.DELETE})
            text = "\n\n".join(filter(None, (runs, schedule_texts.table(repeated, subjects), spent)))
        llm_request.append_instructions([text])


def runs_table(jobs: list[Job], deleting: set[str]) -> str:
    """Formats the runs of a conversation as text for the model.

    Args:
        jobs: newest first.
        deleting: ids of the jobs that wait for a yes to their deletion.
    """
    lines = [f"- {job.id} | {_state(job, job.id in deleting)} | {title(job)}" for job in jobs[:MAX_LISTED_RUNS]]
    if not lines:
        return "No research run in this conversation yet."
    return "\n".join(["Research runs of this conversation (newest first):", *lines])


def _state(job: Job, deleting: bool) -> str:
    if deleting:
        return "waits for a yes: deletion"
    if job.state == "awaiting_approval":
        return f"waits for a yes: {'plan' if job.plan else 'price'}"
    return job.state.words


def spent_by(entries: Sequence[Spending], now: float) -> str:
    """Formats what a user has spent: one line, with the upper ends of the prices in USD.

    Args:
        entries: the spending entries of the user, those of the last `MONTH_S` at least.
        now: seconds since the epoch.
    """
    paid = [each for each in entries if each.server != EMULATOR]
    played = sum(each.estimate for each in entries if each.server == EMULATOR)
    unpaid = f" Nothing is paid on the emulator; its runs would have cost up to ${played:.2f}." if played else ""
    return f"Spent so far: {_sums(paid, now)}.{unpaid} The page of research and `desk spending` show each day."


def _sums(entries: Sequence[Spending], now: float) -> str:
    day, month = (sum(each.estimate for each in entries if each.time > now - age) for age in (LIMIT_PERIOD_S, MONTH_S))
    return f"at most ${day:.2f} in 24 hours and ${month:.2f} in 30 days" if month else "nothing in 30 days"
