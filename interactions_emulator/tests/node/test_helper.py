"""The helper for tests in Node works in Node's own test runner."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is missing")
def test_the_helper_for_node_starts_controls_and_stops_the_emulator() -> None:
    assert NODE
    environment = os.environ | {"COMMAND": json.dumps([sys.executable, "-m", "interactions_emulator"])}
    tests = Path(__file__).with_name("helper.test.mjs")
    done = subprocess.run([NODE, "--test", str(tests)], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
