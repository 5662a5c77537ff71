"""The tree of agents that the configuration defines, for a terminal."""

from __future__ import annotations

from google.adk.agents import BaseAgent, LlmAgent
from rich.markup import escape
from rich.tree import Tree

from tools.cli.configuration_checks import checked_agents
from tools.research.settings import ResearchSettings
from tools.settings import load_settings


def agent_tree() -> Tree:
    """The tree of agents that the configuration defines.

    Raises:
        ConfigError: the configuration has a mistake.
    """
    root = checked_agents(load_settings().config)
    tree = Tree(_described(root))
    _grow(tree, root)
    return tree


def _grow(tree: Tree, agent: BaseAgent) -> None:
    for child in agent.sub_agents:
        _grow(tree.add(_described(child)), child)


def _described(agent: BaseAgent) -> str:
    lines = [f"[bold]{agent.name}[/] ({type(agent).__name__})"]
    if isinstance(agent, LlmAgent):
        model = agent.canonical_model
        lines.append(f"model: {model.model} (use_interactions_api={getattr(model, 'use_interactions_api', False)})")
        lines.append(f"instruction: {_first_line(str(agent.instruction))}")
        if agent.tools:
            lines.append("tools: " + ", ".join(_name(tool) for tool in agent.tools))
        if agent.output_schema:
            lines.append(f"output_schema: {getattr(agent.output_schema, '__name__', agent.output_schema)}")
    if isinstance(agent, ResearchSettings):
        shown = {key: getattr(agent, key) for key in ResearchSettings.model_fields}
        shown["notify"] = ", ".join(agent.notify) or "nobody"
        lines += [escape(f"{key}: {value}") for key, value in shown.items()]
    lines.append(f"[dim]{agent.description.strip()}[/]")
    return "\n".join(lines)


def _first_line(text: str) -> str:
    first, *rest = text.strip().splitlines() or [""]
    return escape(f"{first} … ({len(rest)} more lines)" if rest else first)


def _name(tool: object) -> str:
    return str(getattr(tool, "name", None) or getattr(tool, "__name__", tool))
