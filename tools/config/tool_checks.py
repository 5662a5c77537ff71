"""Checks the tools that an agent names, and finds their types in the API."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, get_args

from google.adk.tools.computer_use.computer_use_toolset import ComputerUseToolset
from google.adk.tools.google_maps_grounding_tool import GoogleMapsGroundingTool
from google.adk.tools.google_search_tool import GoogleSearchTool
from google.adk.tools.url_context_tool import UrlContextTool
from pydantic import TypeAdapter, ValidationError

from tools.config.python_objects import object_named
from tools.interactions.model_catalog import ToolType
from tools.interactions.server_tools import ServerTool
from tools.text.did_you_mean import did_you_mean
from tools.yaml_files.reading import Finding, entries, mapping

BUILT_IN = {
    GoogleSearchTool: "google_search",
    UrlContextTool: "url_context",
    GoogleMapsGroundingTool: "google_maps",
    ComputerUseToolset: "computer_use",
}
"""ADK's server-side tools with their names in the API; its other tools are functions."""
_TOOL = TypeAdapter[ServerTool](ServerTool)


def repeated_tool_findings(data: dict[str, Any]) -> Iterator[Finding]:
    """Yields a finding for each entry of `tools` that is listed twice, or is also in `server_tools`.

    A model calls a function by its name without the module, so two functions cannot share it.
    """
    seen, called = set[str](), dict[str, str]()
    if data.get("sub_agents"):
        called["transfer_to_agent"] = "transfer_to_agent"  # ADK adds it
    for i, entry in enumerate(entries(data.get("tools"))):
        if isinstance(name := entry.get("name"), str):
            if name in seen:
                yield ("tools", i), f"`{name}` stands here twice"
            elif (other := called.setdefault(name.rpartition(".")[2], name)) != name:
                yield ("tools", i), f"a model cannot tell `{name}` from `{other}`: give its function another name"
            seen.add(name)
    for i, entry in enumerate(entries(data.get("server_tools"))):
        if (kind := str(entry.get("type"))) in seen:
            yield ("server_tools", i), f"`{kind}` is in `tools` too: remove one of the two"


def allowed_function_findings(data: dict[str, Any]) -> Iterator[Finding]:
    """Yields a finding for each name in `allowed_function_names` that is not a function of the agent."""
    location = ("generate_content_config", "tool_config", "function_calling_config", "allowed_function_names")
    names: Any = data
    for key in location:
        names = mapping(names).get(key)
    tools = [str(entry.get("name", "")) for entry in entries(data.get("tools"))]
    known = [name.rpartition(".")[2] for name in tools] + (["transfer_to_agent"] if data.get("sub_agents") else [])
    for i, name in enumerate(names if isinstance(names, list) else ()):
        if isinstance(name, str) and name not in known:
            why = did_you_mean(name, known) or f"; it has {', '.join(known) or 'none'}"
            yield (*location, i), f"`{name}` is not a function of this agent{why}"


def server_tool_findings(tools: Any, key: str) -> Iterator[Finding]:
    """Yields a finding for each server-side tool under a key that is listed twice, or lacks a variable."""
    seen = set()
    for i, entry in enumerate(tools if isinstance(tools, list) else ()):
        try:
            tool = _TOOL.validate_python(entry)
        except ValidationError:  # the agent's schema reports it
            continue
        for name in tool.variables():
            if not os.environ.get(name):
                yield (key, i, "headers"), f"`{entry['name']}` needs {name}: set it in the environment"
        name = entry.get("name", tool.type)
        if name in seen:
            yield (key, i), f"`{name}` stands here twice"
        seen.add(name)


def listed_types(tools: Any) -> list[str]:
    """The types of tools in a list, without unknown types, which the agent's schema reports."""
    return [str(tool["type"]) for tool in entries(tools) if tool.get("type") in get_args(ToolType)]


def tool_types(data: dict[str, Any]) -> Iterator[str]:
    """Yields the type of each of an agent's tools, as the API names it."""
    yield from listed_types(data.get("server_tools"))
    for entry in entries(data.get("tools")):
        if isinstance(name := entry.get("name"), str):
            tool = object_named(name if "." in name else f"google.adk.tools.{name}")
            yield next((kind for built_in, kind in BUILT_IN.items() if isinstance(tool, built_in)), "function")
