"""An import of ADK's that fails in each turn is not tried again, where there is no A2A SDK."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from interactions_emulator import Emulator
from tests.conftest import ROOT

# Plays three turns where nothing named a2a can be imported, and prints how often that was tried in the last two.
TURNS = """
import asyncio, sys
tried = []
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "a2a":
            tried.append(name)
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Missing())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "a2a" else found(name, *more)
from tools import tuning
if {off}:
    tuning.skip_missing_a2a = lambda: None
from tests.talk import Talk
from tools.application import build_app
async def main():
    talk = Talk(build_app())
    await talk.say("hello")
    tried.clear()
    await talk.say("hello")
    await talk.say("hello")
    print(len(tried))
asyncio.run(main())
"""


@pytest.mark.nightly
@pytest.mark.parametrize("off", [False, True], ids=["skipped", "adk"])
def test_a_missing_a2a_is_looked_for_once(api: Emulator, off: bool) -> None:
    """If ADK alone looks no more in later turns, `tools.tuning.skip_missing_a2a` can go."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", TURNS.format(off=off)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (json.loads(done.stdout.splitlines()[-1]) > 0) is off


@pytest.fixture
def api(use: Any) -> Iterator[Emulator]:
    with Emulator() as server:
        use(server)
        yield server
