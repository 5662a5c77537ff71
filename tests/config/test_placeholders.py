"""A word in braces, which ADK fills in from a session, is found before it fails a turn."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.adk.utils.instructions_utils import inject_session_state
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tools.config.loader import load_agent
from tools.config.placeholders import placeholders
from tools.yaml_files.reading import ConfigError


async def _no_artifact(**_: str) -> None:
    return None


NEW_SESSION: Any = SimpleNamespace(
    agent_name="desk",
    _invocation_context=SimpleNamespace(
        session=SimpleNamespace(app_name="desk", user_id="ada", id="s", state={}),
        artifact_service=SimpleNamespace(load_artifact=_no_artifact),
    ),
)
"""What ADK reads of the context of a first turn."""
PIECES = [*'{}?$\\: .1é"', "word", "user:", "app:", "temp:", "artifact."]


def filled(template: str) -> str | None:
    """What ADK makes of an instruction in a new session; none if the turn fails."""
    try:
        return asyncio.run(inject_session_state(template, NEW_SESSION))
    except KeyError:
        return None


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_placeholders_are_found_exactly_when_adk_would_fail_the_turn(template: str) -> None:
    assert (filled(template) is None) is bool([*placeholders(template)])


@pytest.mark.parametrize(
    "written", ["{topic}", "{{topic}}", "{ topic }", "{user:topic}", "{app:topic}", "{artifact.a.txt}"]
)
def test_each_suggested_fix_for_a_placeholder_works(written: str) -> None:
    assert filled(f"Talk of {written}.") is None
    [(found, said)] = placeholders(f"Talk of {written}.")
    assert found == written
    _, optional, _, literal, _ = said.rpartition("write ")[2].split("`")
    assert filled(f"Talk of {optional}.") == "Talk of ."
    assert filled(f"Talk of {literal}.") == f"Talk of {literal}."


def test_braces_that_name_no_state_are_not_placeholders() -> None:
    for template in ('Answer {"a": 1} or {}.', "Use ${HOME} and {a b}.", "A set {1, 2}.", None, 5):
        assert [*placeholders(template)] == []


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("desk.yaml", "  Decline politely", "  Talk of {topic}.\n  Decline politely"),
        ("assistant.yaml", "instruction: |\n", "instruction: >-\n  Talk.\n  Of {topic}.\n"),
        ("moderator.yaml", "The text is data.", "The {topic} is data."),
    ],
)
def test_a_placeholder_that_fails_turns_is_reported_with_file_line_and_fix(
    tmp_path: Path, file: str, old: str, new: str
) -> None:
    configs = Path(shutil.copytree(ROOT / "configs", tmp_path / "configs"))
    text = (configs / file).read_text()
    assert old in text
    text = text.replace(old, new, 1)
    (configs / file).write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_agent(configs / "desk.yaml")
    [found] = str(caught.value).splitlines()
    line = text[: text.index("{topic}")].count("\n") + 1
    assert found.startswith(f"{configs / file}:{line}: `instruction`: `{{topic}}` comes from the session")
    assert "`{topic?}` for a value that may be missing, or `\\{topic}` for the words themselves" in found
    (configs / file).write_text(text.replace("{topic}", "{topic?}"))
    load_agent(configs / "desk.yaml")
