"""The ADK side: the agent that stands in YAML as `tools.research.agent.Researcher`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import ClassVar

from google.adk.agents import BaseAgent, InvocationContext
from google.adk.events import Event
from pydantic import BaseModel

from tools.research.config import ResearcherConfig, ResearchSettings


class Researcher(ResearchSettings, BaseAgent):
    """Takes the user's words as a brief and lets Deep Research work on it.

    A turn watches the job for at most `attach_seconds`; the job itself goes on and is found again by any later turn.
    """

    config_type: ClassVar[type[BaseModel]] = ResearcherConfig  # type: ignore[assignment]

    def _run_async_impl(self, ctx: InvocationContext) -> AsyncGenerator[Event, None]:
        from tools.research.turn import Turn  # with the service, the ledger and the reports: no start waits for them

        return Turn(self, ctx).play()
