"""Importing the agents has no effect outside the process; the first message says which server answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from interactions_emulator import Emulator
from tests.conftest import ROOT
from tests.routing.test_conversation import brain
from tests.talk import Talk
from tools.adk.backend_plugin import BackendPlugin
from tools.app import build_app

_IMPORT = """
import multiprocessing, os, runpy, subprocess, sys, threading
subprocess.Popen = multiprocessing.Process = None  # a child would be an error
path, variables = list(sys.path), dict(os.environ)
runpy.run_path("agents/desk/agent.py")
assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
assert sys.path == path or sys.path == [os.getcwd(), *path], sys.path
assert dict(os.environ) == variables
"""


def test_importing_the_agents_starts_nothing_and_prints_nothing(tmp_path: Path) -> None:
    own = ("GEMINI_", "GOOGLE_", "DESK_", "EMULATOR_", "COV", "PYTHON")
    env = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    env |= {"DESK_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path), "PYTHONSAFEPATH": "1"}
    done = subprocess.run([sys.executable, "-c", _IMPORT], cwd=ROOT, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "data").exists()


async def test_the_first_message_of_a_process_says_which_server_answers(
    use: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with Emulator(brain=brain, speed=0) as api:
        use(api)
        app = build_app()
        app.plugins.insert(0, BackendPlugin())
        talk = Talk(app)
        await talk.ask("hello")
        await talk.ask("hello again")
        await talk.runner.close()
    assert capsys.readouterr().err.count("Research Desk on local emulator (not Gemini) at http://127.0.0.1:") == 1
