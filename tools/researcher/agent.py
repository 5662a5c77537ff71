"""The researcher agent; its `agent_class` in YAML is `tools.researcher.agent.Researcher`."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Sequence
from typing import ClassVar

from google.adk.agents import InvocationContext
from google.adk.events import Event
from google.genai import types
from pydantic import BaseModel, field_validator, model_validator

from tools.adk.llm_agent import Agent, AgentConfig
from tools.interactions.server_tools import ServerTool
from tools.research.database_errors import DATABASE_ERRORS, describe_database_error
from tools.research.factory import research
from tools.research.settings import ResearchSettings
from tools.researcher.model_instruction import RunList
from tools.settings import load_settings

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
        self.tools = [*(tool for tool in self.tools if not isinstance(tool, RunList)), RunList()]
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
