"""Checks, when a configuration is loaded, whether the Interactions API supports what it requests."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from tools.config.generation_setting_checks import setting_findings
from tools.config.tool_checks import (
    allowed_function_findings,
    listed_types,
    repeated_tool_findings,
    server_tool_findings,
    tool_types,
)
from tools.interactions.unsupported_features import capability_errors
from tools.research.notices.target_checks import resolve_target
from tools.research.notices.targets import Target, TargetError
from tools.yaml_files.environment_references import VARIABLE
from tools.yaml_files.reading import Finding, Location, mapping

_DOLLAR = re.compile(r"\$\{[^}]*\}?|\$[A-Za-z_]\w*")
PROSE = ("description", "instruction", "global_instruction", "static_instruction")
"""Keys with texts for a model, which may contain `$`."""


def validate(data: dict[str, Any]) -> Iterator[Finding]:
    """Yields the findings of one file, given as data from YAML."""
    yield from setting_findings(mapping(data.get("generate_content_config")))
    yield from allowed_function_findings(data)
    yield from repeated_tool_findings(data)
    yield from _unfilled({key: value for key, value in data.items() if key not in PROSE})
    yield from server_tool_findings(data.get("server_tools"), "server_tools")
    yield from server_tool_findings(data.get("research_tools"), "research_tools")
    yield from _targets(mapping(data.get("notify")))
    tools, research_tools = list(tool_types(data)), listed_types(data.get("research_tools"))
    for key, kind, used in (
        ("agent", "agent", research_tools),
        ("max_agent", "agent", research_tools),
        ("model", "model", [*tools, *(["function"] if data.get("sub_agents") else ())]),
        ("follow_up_model", "model", []),
    ):
        if isinstance(name := data.get(key), str) and name:
            schema = key == "model" and "output_schema" in data
            bare = name.rpartition(":")[2] if key == "model" else name.removeprefix("interactions:")
            for misfit in capability_errors(bare, kind, used, schema=schema, outputs=_outputs(data)):
                yield (key,), misfit


def _unfilled(value: Any, location: Location = ()) -> Iterator[Finding]:
    """Yields a finding for each `$NAME` that would be sent as it is."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _unfilled(each, (*location, key))
    elif isinstance(value, str):
        filled = "headers" in location or location[:1] == ("notify",)
        if found := _DOLLAR.search(VARIABLE.sub("", value) if filled else value):
            way = "write `${NAME}`" if filled else "write the value itself (only `headers` and `notify` take `${NAME}`)"
            yield location, f"`{location[-1]}`: `{found.group()}` is not replaced by a variable's value: {way}"


def _targets(targets: dict[str, Any]) -> Iterator[Finding]:
    """Yields a finding for each target of notices that cannot be used."""
    for name, entry in targets.items():
        try:
            resolve_target(Target.model_validate(entry), os.environ)
        except ValidationError:  # the agent's schema reports it
            continue
        except TargetError as error:
            yield ("notify", name, error.key), str(error)


def _outputs(data: dict[str, Any]) -> list[str]:
    outputs = mapping(data.get("generate_content_config")).get("response_modalities")
    return [str(output).lower() for output in outputs] if isinstance(outputs, list) else []
