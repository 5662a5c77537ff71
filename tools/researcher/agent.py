"""The researcher agent; its `agent_class` in YAML is `tools.researcher.agent.Researcher`."""

from __future__ import annotations

import time
import warnings
from collections.abc import AsyncGenerator, Sequence
from typing import ClassVar

from google.adk.agents import InvocationContext
from google.adk.events import Event
from google.adk.models import LlmRequest
from google.adk.tools import BaseTool, ToolContext
from google.genai import types
from pydantic import BaseModel, field_validator, model_validator

from tools.adk.llm_agent import Agent, AgentConfig
from tools.interactions.server_tools import ServerTool
from tools.research.database import DATABASE_ERRORS, describe_database_error
from tools.research.factory import research
from tools.research.job import Job
from tools.research.questions import Action
from tools.research.settings import ResearchSettings
from tools.research.texts import title
from tools.researcher import confirmation, schedules
from tools.researcher.mentioned_runs import mentioned_runs
from tools.researcher.spending_text import MONTH_S, spent_by
from tools.settings import load_settings

MAX_LISTED_RUNS = 20
"""Maximum number of a conversation's runs that the model's instruction lists."""

with warnings.catch_warnings():  # ADK 2.13 validates the keys with a deprecated class
    warnings.simplefilter("ignore", DeprecationWarning)

    class ResearcherConfig(ResearchSettings, AgentConfig):
        """The keys of a researcher's YAML file: an agent's keys and the settings of research."""

        agent_class: str = "tools.researcher.agent.Researcher"

        @field_validator("server_tools")
        @classmethod
        def _refuse_server_tools(cls, tools: Sequence[ServerTool]) -> Sequence[ServerTool]:
            if tools:
                raise ValueError("write the tools of Deep Research under `research_tools`")
            return tools


class Researcher(ResearchSettings, Agent):
    """An agent that manages a user's research runs with its tools.

    Its model chooses the tools. After a tool call, the agent's code watches the run for at most `attach_seconds` and
    shows prices, progress and reports unchanged. The run continues after that, and any later turn can show it.
    """

    config_type: ClassVar[type[BaseModel]] = ResearcherConfig

    @model_validator(mode="after")
    def _add_list_of_runs(self) -> Researcher:
        self.tools = [*(tool for tool in self.tools if not isinstance(tool, _Runs)), _Runs()]
        return self

    async def _run_async_impl(self, ctx: InvocationContext) -> AsyncGenerator[Event, None]:
        from tools.researcher.presenter import TurnPresenter  # imported late: its imports would slow the start

        settings = load_settings()
        seconds = settings.attach_seconds or self.attach_seconds
        named = settings.report_formats
        formats = self.report_formats if named is None else [] if named == "none" else named.split(",")
        try:
            service = research()
        except DATABASE_ERRORS as error:  # an exception would end `adk run`
            text = f"The research desk cannot work: {describe_database_error(error)}."
            yield Event(
                author=self.name,
                invocation_id=ctx.invocation_id,
                branch=ctx.branch,
                content=types.Content(role="model", parts=[types.Part(text=text)]),
                error_code="LEDGER",
                error_message=text,
            )
            return
        presenter = TurnPresenter(self.name, ctx, service, seconds, formats)
        async for event in presenter.play(super()._run_async_impl(ctx)):
            yield event


class _Runs(BaseTool):
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
            text = "\n\n".join(filter(None, (runs, schedules.table(repeated, subjects), spent)))
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
