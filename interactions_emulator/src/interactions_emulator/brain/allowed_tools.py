"""Reads which of the declared tools a request allows."""

from __future__ import annotations

from typing import Any, NamedTuple

from interactions_emulator.brain.protocol import Turn


class Allowed(NamedTuple):
    """The allowed tools, and whether a function must be called."""

    tools: tuple[dict[str, Any], ...]
    must_call: bool


def allowed_tools(turn: Turn) -> Allowed:
    """Reads `tool_choice`: "auto", "none", "any" or {"allowed_tools": {"mode", "tools"}}."""
    choice = turn.generation_config.get("tool_choice") or "auto"
    allowed = choice.get("allowed_tools", choice) if isinstance(choice, dict) else {"mode": choice}
    mode, names = str(allowed.get("mode", "auto")).casefold(), allowed.get("tools")
    listed = (tool for tool in turn.tools if names is None or {tool.get("name"), tool.get("type")} & set(names))
    return Allowed(() if mode == "none" else tuple(listed), mode == "any")
