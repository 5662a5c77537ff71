"""Collects settings and tools of an agent that ADK 2.13 does not send on the Interactions path.

ADK sends max_output_tokens, stop_sequences, seed, temperature and top_p (`models/interactions_utils.py:1375`), and
these tools without their options (`:575`): function, google_search, code_execution, url_context and computer_use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from google.genai import types
from pydantic import PrivateAttr

SUPPORTED_KEYS = frozenset(
    {"max_output_tokens", "stop_sequences", "seed", "temperature", "top_p"}  # sent by ADK
    | {"top_k", "thinking_config", "tool_config", "response_modalities", "image_config"}
    | {"safety_settings", "labels", "service_tier", "store"}
)
"""Keys of `generate_content_config` that are sent to the API."""


LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
LABEL = re.compile(r"[a-z0-9_-]{0,63}")
"""Valid keys and valid values of labels."""


class WireTool(types.Tool):
    """A server-side tool in wire format, for options that ADK's type lacks (a location, or the allowed tools of MCP).

    The wire format may contain secret headers.
    """

    _wire: dict[str, Any] = PrivateAttr(default_factory=dict)  # private, because ADK's spans show public fields

    @classmethod
    def of(cls, wire: dict[str, Any]) -> WireTool:
        """Creates a tool from its wire format, e.g. {"type": "mcp_server", "url": ...}."""
        tool = cls()
        tool._wire = wire
        return tool

    @property
    def wire(self) -> dict[str, Any]:
        """The tool in wire format."""
        return self._wire


def arguments_of(config: types.GenerateContentConfig) -> dict[str, Any]:
    """Returns the arguments of `interactions.create` that ADK leaves out."""
    found: dict[str, Any] = {
        "generation_config": {
            **({} if config.top_k is None else {"top_k": config.top_k}),
            **_thinking(config.thinking_config),
            **_tool_choice(config.tool_config),
        },
        "response_format": _pictures(config),
        "response_modalities": [_name(modality) for modality in config.response_modalities or ()],
        "safety_settings": [_safety(setting) for setting in config.safety_settings or ()],
        "labels": _labels(config.labels),
        "tools": list(_tools(config)),
    }
    if found["response_format"]:
        del found["response_modalities"]  # `response_format` includes them
    found = {key: value for key, value in found.items() if value}
    return found if config.store is None else {**found, "store": config.store}


def tier_of(config: types.GenerateContentConfig) -> str | None:
    """The service tier, e.g. "flex"; None if it is not set."""
    return _name(config.service_tier) if config.service_tier else None


def merge_arguments(arguments: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Adds extra arguments to ADK's: merges `generation_config`, appends tools, drops empty values."""
    result = {**arguments, **extra}
    result["generation_config"] = {**(arguments.get("generation_config") or {}), **extra.get("generation_config", {})}
    result["tools"] = [*(arguments.get("tools") or ()), *extra.get("tools", ())]
    return {key: value for key, value in result.items() if value not in (None, {}, [])}


def _thinking(config: types.ThinkingConfig | None) -> dict[str, str]:
    found = {}
    if config and config.thinking_level:
        found["thinking_level"] = _name(config.thinking_level)
    if config and config.include_thoughts is not None:
        found["thinking_summaries"] = "auto" if config.include_thoughts else "none"
    return found


def _tool_choice(config: types.ToolConfig | None) -> dict[str, Any]:
    calling = config and config.function_calling_config
    if not calling or not (calling.mode or calling.allowed_function_names):
        return {}
    mode = _name(calling.mode) if calling.mode else "any"
    names = calling.allowed_function_names
    return {"tool_choice": {"allowed_tools": {"mode": mode, "tools": names}} if names else mode}


def _pictures(config: types.GenerateContentConfig) -> list[dict[str, Any]]:
    """Builds `response_format` if a picture format is set; otherwise the modalities are enough."""
    form = config.image_config
    if form is None:
        return []
    values = {"aspect_ratio": form.aspect_ratio, "image_size": form.image_size, "mime_type": form.output_mime_type}
    picture = {"type": "image", **{key: value for key, value in values.items() if value}}
    others = [_name(m) for m in config.response_modalities or () if _name(m) != "image"]
    return [*({"type": name} for name in others), picture]


def _labels(labels: dict[str, str] | None) -> dict[str, str]:
    """Lowercases values, because ADK adds the agent's name, which may have capitals. Drops values that stay invalid."""
    lower = {key: value.lower() for key, value in (labels or {}).items()}
    return {key: value for key, value in lower.items() if LABEL.fullmatch(value)}


def _safety(setting: types.SafetySetting) -> dict[str, str]:
    values = {"type": setting.category, "threshold": setting.threshold, "method": setting.method}
    return {key: _name(value).removeprefix("harm_category_") for key, value in values.items() if value}


def _tools(config: types.GenerateContentConfig) -> Iterator[dict[str, Any]]:
    for tool in config.tools or ():
        if isinstance(tool, WireTool):
            yield tool.wire
        elif isinstance(tool, types.Tool):
            if tool.google_maps:
                yield {"type": "google_maps", **_options(tool.google_maps, "enable_widget")}
            if tool.file_search:
                yield {"type": "file_search", **_options(tool.file_search, *types.FileSearch.model_fields)}


def _options(tool: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(tool, name) for name in names if getattr(tool, name) is not None}


def _name(value: Any) -> str:
    """Spells an enum value or a string as the API does."""
    return str(getattr(value, "value", value)).lower()
