"""Clients of other projects, each in an environment of its own, play their flows on the emulator, unmodified.

`clients.yaml` says which flows fail and whose fault that is; docs/clients.md shows it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest
import yaml

from interactions_emulator import Emulator

HERE = Path(__file__).parent
KNOWN: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "clients.yaml").read_text(encoding="utf-8"))
BUILT = HERE.parents[1] / "build" / "clients"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY")
pytestmark = pytest.mark.nightly


def install(name: str) -> list[str]:
    """The command that plays a client's flows, after its installation; again only if its lock has changed."""
    folder = HERE / name
    lock = next(folder.glob("*lock*"))
    place, done = BUILT / name, BUILT / name / "installed"
    is_python = (folder / "flows.py").exists()
    program = place / "venv" / "bin" / "python"
    if not done.exists() or done.read_text() != lock.read_text():
        place.mkdir(parents=True, exist_ok=True)
        environment = {key: value for key, value in os.environ.items() if key not in PROXIES}
        if is_python:
            venv.create(place / "venv", with_pip=True, clear=True)
            options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes")
            command = [str(program), "-m", "pip", "install", *options, "-r", str(lock)]
        else:
            shutil.copytree(folder, place, dirs_exist_ok=True)
            command = [shutil.which("npm") or "npm", "ci", "--prefix", str(place), "--ignore-scripts", "--silent"]
        subprocess.run(command, check=True, env=environment)
        done.write_text(lock.read_text())
    if is_python:
        return [str(program), str(folder / "flows.py")]
    shutil.copy(HERE / "played.mjs", BUILT)
    shutil.copy(folder / "flows.mjs", place)
    return [shutil.which("node") or "node", str(place / "flows.mjs")]


@pytest.mark.parametrize("name", KNOWN)
def test_a_client_plays_the_flows_that_are_not_known_to_fail(name: str) -> None:
    command = install(name)
    with Emulator(scenarios=HERE / "scenarios.yaml") as api:
        environment = os.environ | {"EMULATOR": api.url, "PYTHONPATH": str(HERE)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    played = [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("FLOW ")]
    assert played, done.stderr
    failed = {flow["flow"]: flow["error"] for flow in played if flow["error"]}
    expected = KNOWN[name].get("fails", {})
    assert failed.keys() == expected.keys(), f"{failed}\n{done.stderr[-5_000:]}"
    assert {flow["flow"] for flow in played} == {*KNOWN[name]["passes"], *expected}


def test_the_table_of_clients_says_what_is_known() -> None:
    page = (HERE.parents[1] / "docs" / "clients.md").read_text(encoding="utf-8")
    for name, known in KNOWN.items():
        row = f"| {known['client']} | {known['version']} | {', '.join(known['passes'])} |"
        assert row in page, name
        for flow, reason in known.get("fails", {}).items():
            assert f"{flow}: {reason}" in page, name
