"""A start imports what a prompt needs. The rest is imported before a first message needs it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from interactions_emulator import Emulator
from tests.conftest import ROOT
from tools.ahead import MODULES

LATER = {
    *("matplotlib", "grpc", "a2a", "google.genai.interactions"),
    *("google.genai._gaos", "google.adk.flows.llm_flows.single_flow", "google.adk.sessions.database_session_service"),
}
# What is imported when the agent is there, then what the thread adds, then what a first turn still does.
STEPS = """
import asyncio, json, sys
from tools import ahead
ahead.import_when_idle = lambda: None
import agents.desk.agent as desk
found = [set(sys.modules)]
ahead.import_now()
from tests.talk import Talk
found.append(set(sys.modules))
asyncio.run(Talk(desk.app).say("hello"))
found.append(set(sys.modules))
print(json.dumps([sorted(now - before) for before, now in zip([set(), *found], found)]))
"""


@pytest.mark.nightly
def test_no_start_waits_for_what_a_turn_needs_and_no_first_turn_for_what_was_imported_ahead() -> None:
    with Emulator() as api:
        env = os.environ | {"PYTHONPATH": str(ROOT), "DESK_BACKEND": "emulator", "GOOGLE_GEMINI_BASE_URL": api.url}
        done = subprocess.run([sys.executable, "-c", STEPS], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    start, _, turn = json.loads(done.stdout.splitlines()[-1])
    assert not LATER & set(start)
    assert len(turn) < 50, turn


@pytest.mark.parametrize("name", MODULES)
def test_what_is_imported_ahead_exists(name: str) -> None:
    """ADK and google-genai may move what their first turn imports: what is missing here would just be slow again."""
    assert importlib.util.find_spec(name)
