"""ADK's `LlmAgent` with server-side tools; in YAML: `agent_class: tools.adk.llm_agent.Agent`."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, ClassVar, Self

from google.adk.agents import InvocationContext, LlmAgent
from google.adk.agents.llm_agent import ToolUnion
from google.adk.agents.llm_agent_config import LlmAgentConfig
from google.adk.events import Event
from google.adk.models import LLMRegistry, LlmRequest
from google.adk.tools import BaseTool, FunctionTool, ToolContext
from google.adk.utils._agent_mode import LlmAgentMode
from google.genai import types
from pydantic import BaseModel, model_validator

from tools.adk.generation_config import WireTool
from tools.interactions.server_tools import ServerTool

with warnings.catch_warnings():  # ADK 2.13 validates keys with this class, and warns that it is deprecated
    warnings.simplefilter("ignore", DeprecationWarning)

    class AgentConfig(LlmAgentConfig):
        """The keys of ADK's LLM agents, and `server_tools`."""

        agent_class: str = "tools.adk.llm_agent.Agent"
        server_tools: Sequence[ServerTool] = ()


_SAY = "temp:say:"
"""Prefix of state keys that a tool sets for its agent. ADK does not store state whose key begins with `temp:`."""


def say_after(context: ToolContext, text: str, metadata: Mapping[str, Any] | None = None) -> None:
    """Makes the agent output a text verbatim after its tools are done, without another model call.

    Args:
        metadata: custom metadata of the event that carries the text.
    """
    context.state[f"{_SAY}{context.function_call_id}"] = {"text": text, "metadata": dict(metadata or {})}
    context.actions.skip_summarization = True


class Agent(LlmAgent):
    """An `LlmAgent` that can have server-side tools: search, pages, code, files, maps, remote MCP servers.

    Its tools can output a text verbatim, see `say_after`.
    """

    config_type: ClassVar[type[BaseModel]] = AgentConfig  # type: ignore[assignment]
    server_tools: Sequence[ServerTool] = ()
    mode: LlmAgentMode | None = "chat"
    rerun_on_resume: bool = True

    @model_validator(mode="after")
    def _offer(self) -> Agent:
        if isinstance(self.model, str) and self.model:
            self.model = LLMRegistry.new_llm(self.model)  # ADK 2.13 looks a name up ten times in a turn
        own = (_as_tool(tool) for tool in self.tools if not isinstance(tool, _OnServer))
        self.tools = [*own, *map(_OnServer, self.server_tools)]
        return self

    def clone(self, update: Mapping[str, Any] | None = None) -> Self:
        """Returns a copy, or this agent if it has the values of `update` already.

        In each turn ADK 2.13 copies the whole tree of agents to set `rerun_on_resume` (`_workflow_graph_utils.py:149`),
        and copies the copy (`_dynamic_node_scheduler.py:690`). It changes the copies of chat agents no further, so a
        chat agent need not be copied.
        """
        known = bool(update) and all(getattr(self, name) == value for name, value in (update or {}).items())
        return self if known and self.mode == "chat" and not self.parallel_worker else super().clone(update)

    async def _run_async_impl(self, ctx: InvocationContext) -> AsyncGenerator[Event, None]:
        texts = list[dict[str, Any]]()
        async with aclosing(super()._run_async_impl(ctx)) as events:
            async for event in events:
                texts += [value for key, value in event.actions.state_delta.items() if key.startswith(_SAY)]
                yield event
        for each in texts:
            content = types.Content(role="model", parts=[types.Part(text=each["text"])])
            yield Event(
                author=self.name,
                invocation_id=ctx.invocation_id,
                branch=ctx.branch,
                content=content,
                custom_metadata=each["metadata"] or None,
            )


def _as_tool(tool: ToolUnion) -> ToolUnion:
    """Describes a function once; ADK 2.13 does so in each turn (`llm_agent.py:207`)."""
    return FunctionTool(tool) if inspect.isroutine(tool) else tool


class _OnServer(BaseTool):
    """Adds a server-side tool to each request; the application never calls it."""

    def __init__(self, tool: ServerTool) -> None:
        super().__init__(name=tool.type, description=tool.__doc__ or tool.type)
        self._tool = tool

    async def process_llm_request(self, *, tool_context: ToolContext, llm_request: LlmRequest) -> None:
        """Adds the tool, with the current secrets of the environment."""
        llm_request.config.tools = [*(llm_request.config.tools or ()), WireTool.of(self._tool.wire(os.environ))]
