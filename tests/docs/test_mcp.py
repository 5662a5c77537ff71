"""The page about MCP and the skill name what there is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import typer
import yaml

from tests.conftest import ROOT
from tools.cli.app import app

PAGE = (ROOT / "docs" / "mcp.md").read_text()
SKILL = (ROOT / "skills" / "research-desk" / "SKILL.md").read_text()


def test_the_page_lists_every_tool_and_its_configurations_are_json() -> None:
    server = pytest.importorskip("tools.mcp_server.server")
    assert re.findall(r"^\| `research_(\w+)`", PAGE, re.MULTILINE) == [*server.TOOLS]
    configurations = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    entries = [next(iter(found.values()))["research-desk"] for found in configurations]
    assert [entry["args"] for entry in entries] == [["mcp"], ["mcp"]]
    for text in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(text, "mcp.md", "exec"), {})


def test_the_skill_names_itself_and_only_commands_and_options_that_exist() -> None:
    _, head, body = SKILL.split("---\n", 2)
    facts = yaml.safe_load(head)
    assert facts["name"] == "research-desk"
    assert len(facts["description"]) < 1024
    group: Any = typer.main.get_command(app)
    commands = group.commands
    used = re.findall(r"desk ([a-z-]+)((?: [^\n`#]*)?)", body.replace("# Research with `desk`", ""))
    assert {name for name, _ in used} >= {"research", "jobs", "status", "attach", "approve", "report", "follow-up"}
    for name, rest in used:
        assert name in commands, name
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, (name, rest)
