"""The evaluation sets pass as ADK runs them, and fail when the desk is broken on purpose."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interactions_emulator import Emulator
from tests.conftest import ROOT

ADK = Path(sys.executable).with_name("adk")
SETS = ("small_talk", "weather", "search", "moderation", "research")


@pytest.fixture
def api(use: Any) -> Iterator[Emulator]:
    """The emulator with its own brain over the documentation of the installed packages."""
    with Emulator(speed=math.inf) as server:
        use(server)
        yield server


def evaluate(*names: str) -> subprocess.CompletedProcess[str]:
    """`adk eval` as a person runs it."""
    files = [f"evals/{name}.evalset.json" for name in names]
    command = [str(ADK), "eval", "agents/desk", *files, "--config_file_path", "evals/criteria.json"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_every_set_passes_on_the_emulator(api: Emulator) -> None:
    result = evaluate(*SETS)
    assert result.stdout.count("Tests failed: 0") == len(SETS), result.stdout[-3000:] + result.stderr[-3000:]
    assert result.returncode == 0


def test_a_broken_description_is_caught(api: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = Path(shutil.copytree(ROOT / "configs", tmp_path / "configs"))
    text = (configs / "assistant.yaml").read_text()
    broken = text.replace("the weather and the forecast (temperature, rain, wind, sun)", "nothing")
    assert broken != text
    (configs / "assistant.yaml").write_text(broken.replace("  - name: tools.weather.get_weather\n", ""))
    monkeypatch.setenv("DESK_CONFIG", str(configs / "desk.yaml"))
    result = evaluate("weather")
    assert "Tests passed: 0" in result.stdout, result.stdout[-3000:]
    assert result.returncode == 1
