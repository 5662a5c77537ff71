"""Finds settings of agents that are valid by themselves, but cannot work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tools.research.pricing import cost_of
from tools.research.settings import ResearchSettings
from tools.web_addresses.public_address import is_public
from tools.yaml_files.reading import Finding, entries, read_mapping, read_yaml

_TOOLS = "tools.researcher.tools."


def contradictions(files: Sequence[Path]) -> Iterator[str]:
    """Yields a warning, as `file:line: text`, for each setting that defeats another, or that no server can use."""
    for file in files:
        data = read_mapping(file) or {}
        for location, text in _private_servers(data):
            yield f"{file}:{read_yaml(file).line(location)}: {text}"
        if str(data.get("agent_class", "")).endswith(".Researcher"):
            try:
                settings = ResearchSettings.model_validate(data)
            except ValidationError:  # the check of the agents reports it
                continue
            for location, text in (*_prices(settings), *_yes(data)):
                yield f"{file}:{read_yaml(file).line(location)}: {text}"


def _private_servers(data: dict[str, Any]) -> Iterator[Finding]:
    """Yields a finding for each MCP server that only machines of a private network can reach."""
    for key in ("server_tools", "research_tools"):
        for i, entry in enumerate(entries(data.get(key))):
            url = entry.get("url")
            if entry.get("type") == "mcp_server" and isinstance(url, str) and not is_public(url):
                text = f"`url`: Google's server calls `{entry.get('name')}`, and cannot reach a private network"
                yield (key, i, "url"), f"{text}: give it a public address"


def _prices(settings: ResearchSettings) -> Iterator[Finding]:
    """Yields a finding for each Deep Research agent whose runs cost more than the limit of a day."""
    daily = settings.limits.usd_per_day
    for name in filter(None, (settings.agent, settings.max_agent)):
        if (price := cost_of(name)[1]) > daily:
            text = f"`usd_per_day: {daily:g}`: no run of `{name}` can start, as one may cost ${price:g}: raise it"
            yield ("limits", "usd_per_day"), text


def _yes(data: dict[str, Any]) -> Iterator[Finding]:
    """Yields a finding if the model can order runs, and has no function for a yes to their price or plan."""
    names = [str(entry.get("name")) for entry in entries(data.get("tools"))]
    ordering = [name for name in names if name in (f"{_TOOLS}start_research", f"{_TOOLS}repeat_research")]
    if ordering and f"{_TOOLS}approve" not in names:
        text = f"`{ordering[0]}` orders runs that wait for a yes, and nothing takes it: add `- name: {_TOOLS}approve`"
        yield ("tools", names.index(ordering[0])), text
