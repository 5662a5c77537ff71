"""ADK's `LlmAgent` with the tools that the server runs, by YAML: `agent_class: tools.agent.Agent`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import ClassVar

from google.adk.agents import LlmAgent
from google.adk.agents.llm_agent_config import LlmAgentConfig
from google.adk.models import LlmRequest
from google.adk.tools import BaseTool, ToolContext
from pydantic import BaseModel, model_validator

from tools.generation import WireTool
from tools.server_tools import ServerTool

with warnings.catch_warnings():  # ADK 2.13 checks the keys with this class and says that it will go
    warnings.simplefilter("ignore", DeprecationWarning)

    class AgentConfig(LlmAgentConfig):
        """The keys of ADK's LLM agents, and one more."""

        agent_class: str = "tools.agent.Agent"
        server_tools: Sequence[ServerTool] = ()


class Agent(LlmAgent):
    """An `LlmAgent` that can have tools of the server: search, pages, code, files, maps, remote MCP servers."""

    config_type: ClassVar[type[BaseModel]] = AgentConfig  # type: ignore[assignment]
    server_tools: Sequence[ServerTool] = ()

    @model_validator(mode="after")
    def _offer(self) -> Agent:
        own = (tool for tool in self.tools if not isinstance(tool, _OnServer))
        self.tools = [*own, *map(_OnServer, self.server_tools)]
        return self


class _OnServer(BaseTool):
    """Puts a tool of the server into each request; there is nothing to call here."""

    def __init__(self, tool: ServerTool) -> None:
        super().__init__(name=tool.type, description=tool.__doc__ or tool.type)
        self._tool = tool

    async def process_llm_request(self, *, tool_context: ToolContext, llm_request: LlmRequest) -> None:
        """Adds it, with today's secrets."""
        llm_request.config.tools = [*(llm_request.config.tools or ()), WireTool.of(self._tool.wire(os.environ))]
