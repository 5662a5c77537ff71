"""The tools of a request as functions for a model, and the model's tool calls, checked."""

from __future__ import annotations

import ast
import json
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from interactions_emulator.brain.model.chat_client import CallPiece
from interactions_emulator.brain.model.schema import plain_schema
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


class BadCall(Exception):
    """A tool call cannot be used. The message says why, for the model and for people."""


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


@dataclass
class Call:
    """A tool call that comes in pieces."""

    name: str = ""
    text: str = ""
    """The arguments as the model wrote them."""

    def arguments(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the arguments. Raises `BadCall` if they are not an object, or if the name is not in `names`."""
        if self.name not in names:
            known = ", ".join(sorted(names)) or "none"
            raise BadCall(f"there is no tool {self.name!r}; the tools are: {known}")
        value = parse_object(self.text)
        if value is None:
            raise BadCall(f"the arguments of {self.name} are not a JSON object: {self.text[:300]!r}")
        return value


class Calls:
    """The tool calls of an answer, put together from their pieces."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[str, Call]] = {}
        self.all: list[Call] = []
        """The calls in the order of their first pieces."""

    def add(self, piece: CallPiece) -> None:
        known, call = self._open.get(piece.number, ("", None))
        if call is None or (known and piece.id not in ("", known)):  # some servers give each call the index 0
            call = Call()
            self.all.append(call)
        self._open[piece.number] = piece.id or known, call
        if piece.name != call.name:  # some servers repeat the name with each piece
            call.name += piece.name
        call.text += piece.arguments


def parse_object(text: str) -> dict[str, Any] | None:
    """Read a JSON object that a model wrote, perhaps between other text or with Python's quotes; else None."""
    text = re.sub(r"^\s*```\w*\s*|\s*```\s*$", "", text)
    if not text.strip():
        return {}
    for read in (json.loads, _first_object, _python):
        try:
            value = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        if isinstance(value, str) and value != text:  # JSON inside a JSON string
            return parse_object(value)
        if isinstance(value, dict):
            return value
    return None


def _first_object(text: str) -> Any:
    return json.JSONDecoder().raw_decode(text, max(text.find("{"), 0))[0]


def _python(text: str) -> Any:
    """A Python literal, if it is JSON data."""
    value = ast.literal_eval(text.strip())
    json.dumps(value)
    return value


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
