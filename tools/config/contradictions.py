"""Finds settings of the researcher that are valid, and of which one defeats another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tools.research.config import ResearchSettings
from tools.research.pricing import cost_of
from tools.yaml_files import Finding, entries, read_mapping, read_yaml

_TOOLS = "tools.researcher.tools."


def contradictions(files: Sequence[Path]) -> Iterator[str]:
    """Yields a warning, as `file:line: text`, for each setting of a researcher that another defeats."""
    for file in files:
        data = read_mapping(file) or {}
        if str(data.get("agent_class", "")).endswith(".Researcher"):
            try:
                settings = ResearchSettings.model_validate(data)
            except ValidationError:  # the check of the agents reports it
                continue
            for location, text in (*_prices(settings), *_yes(data)):
                yield f"{file}:{read_yaml(file).line(location)}: {text}"


def _prices(settings: ResearchSettings) -> Iterator[Finding]:
    """Yields a finding for each agent of which a run costs more than the limit of a day."""
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
