"""The tools of a request as functions that are offered to a model."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

from interactions_emulator.brain.model.structured_output import plain_schema
from interactions_emulator.brain.protocol import Turn

logger = logging.getLogger(__name__)

SERVER_TOOLS: dict[str, dict[str, Any]] = {
    "google_search": {
        "name": "google_search",
        "description": "Searches for documents. Cite a result that you use as [n], with its number.",
        "parameters": {
            "type": "object",
            "properties": {"queries": {"type": "array", "items": {"type": "string"}, "description": "Search queries."}},
            "required": ["queries"],
        },
    },
    "url_context": {
        "name": "url_context",
        "description": "Reads documents at addresses. Cite a document that you use as [n], with its number.",
        "parameters": {
            "type": "object",
            "properties": {"urls": {"type": "array", "items": {"type": "string"}, "description": "Addresses."}},
            "required": ["urls"],
        },
    },
}
"""Server tools that the brain executes itself, as functions."""


@dataclass(frozen=True)
class Offer:
    """The tools offered to the model."""

    tools: list[dict[str, Any]]
    choice: str | dict[str, Any]
    own: frozenset[str]
    """Names of the functions that the brain executes itself."""

    @property
    def names(self) -> set[str]:
        return {tool["function"]["name"] for tool in self.tools}

    @property
    def forced(self) -> bool:
        """Whether the model has to call a function."""
        return self.choice not in ("auto", "none")

    def request(self) -> dict[str, Any]:
        """The fields of a chat completion."""
        return {"tools": self.tools, "tool_choice": self.choice} if self.tools else {}


def offer(turn: Turn) -> Offer:
    """Convert the request's tools and tool_choice. Server tools that the brain does not have are left out."""
    functions = [_function(tool) for tool in turn.tools if tool.get("type") == "function"]
    declared = {function["name"] for function in functions}
    kinds = {str(tool.get("type")) for tool in turn.tools} - {"function"}
    for kind in sorted(kinds - SERVER_TOOLS.keys()):
        _tell_left_out(kind)
    own = [SERVER_TOOLS[kind] for kind in SERVER_TOOLS if kind in kinds and kind not in declared]
    choice = turn.generation_config.get("tool_choice") or "auto"
    mode, allowed = choice, None
    if isinstance(choice, dict):
        inner = choice.get("allowed_tools") or {}
        mode, allowed = inner.get("mode") or "auto", inner.get("tools")
    if allowed is not None:
        functions = [function for function in functions if function["name"] in allowed]
    offered = [] if mode == "none" else functions if mode == "any" else [*functions, *own]
    forced: str | dict[str, Any] = "auto"
    if mode == "any" and len(functions) == 1:  # more servers know a named function than "required"
        forced = {"type": "function", "function": {"name": functions[0]["name"]}}
    elif mode == "any" and functions:
        forced = "required"
    tools = [{"type": "function", "function": function} for function in offered]
    return Offer(tools, forced, frozenset(tool["name"] for tool in own))


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    parameters = plain_schema(tool.get("parameters") or {"type": "object", "properties": {}})
    return {
        "name": str(tool.get("name", "")),
        "description": str(tool.get("description") or ""),
        "parameters": parameters,
    }


@cache
def _tell_left_out(kind: str) -> None:
    logger.warning("the model brain has no server tool %s: requests with it are answered without it", kind)
