"""The official clients, two versions of two languages, play the same flows; `conformance/flows.json` describes them.

`make conformance-live` plays them against the real service.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from interactions_emulator import Emulator
from wire.brains import brain, said
from wire.conftest import MODEL

HERE = Path(__file__).parent / "conformance"
THIRD = Path(__file__).parents[3] / ".venv-genai3" / "bin" / "python"
NODE = shutil.which("node") or "node"
PYTHON_RUN, NODE_RUN = str(HERE / "run.py"), str(HERE / "run.mjs")
CLIENTS = {
    "google-genai-2": [sys.executable, PYTHON_RUN],
    "google-genai-3": [str(THIRD), PYTHON_RUN],
    "js-genai-2": [NODE, NODE_RUN, "genai-2"],
    "js-genai-3": [NODE, NODE_RUN, "genai-3"],
}
FLOWS: list[dict[str, Any]] = json.loads((HERE / "flows.json").read_text(encoding="utf-8"))
ALSO = [name for name in CLIENTS if name != "google-genai-2"]
"""Clients that `make nightly` installs and plays; the other one is what the application is installed with."""
CLIENT = [pytest.param(name, marks=pytest.mark.nightly if name in ALSO else ()) for name in CLIENTS]
PLAYED = [
    pytest.param(client, flow["flow"], marks=pytest.mark.nightly if client in ALSO else ())
    for client in CLIENTS
    for flow in FLOWS
    if "only" not in flow or client.startswith("google-genai")
]
DOCUMENTS = {
    "barrages.md": """# Tidal barrages

A tidal barrage is a dam across an estuary — with turbines in its gates. The barrage on the Rance in France has produced
tidal power since 1966. The cost of tidal power from an old barrage is low, because the dam has long been paid for.
""",
    "streams.md": """# Tidal stream turbines

A tidal stream turbine turns in the current, like a windmill under water. The cost of tidal power from streams has
fallen by forty percent since 2018. Maintenance under water remains the largest part of the costs.
""",
    "nature.md": """# Tidal power and nature

A barrage changes the mud flats of an estuary, on which wading birds feed. The impact of tidal power on nature has been
studied near turbines: most fish swim around the blades.
""",
}
SCENARIOS = [
    {
        "match": {"text": "with pauses"},
        "steps": [said("one "), {"type": "hop"}, said("two "), {"type": "hop"}, said("three")],
    },
    {"match": {"text": "without end", "agent": ".*"}, "wait": float("inf"), "steps": [{"type": "thought"}]},
]
PATIENCE = 300
Play = Callable[[str], tuple[dict[str, dict[str, Any]], str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator as people use it, with two documents, and scenarios for what no one can ask for."""
    folder = tmp_path_factory.mktemp("documents")
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    scenarios = tmp_path_factory.mktemp("scenarios") / "scenarios.yaml"
    scenarios.write_text(yaml.safe_dump(SCENARIOS))
    with Emulator(corpus=folder, scenarios=scenarios) as api:
        yield api


@pytest.fixture(scope="module")
def play(server: Emulator) -> Play:
    """`play(client)`: what a client prints, and complains, when it has played all flows; it does so once."""

    def play(client: str) -> tuple[dict[str, dict[str, Any]], str]:
        played = run(client, server.url)
        return {line["flow"]: line for line in map(json.loads, played.stdout.splitlines())}, played.stderr

    return cache(play)


@pytest.mark.parametrize(("client", "flow"), PLAYED)
def test_each_official_client_completes_each_flow(play: Play, client: str, flow: str) -> None:
    lines, complaints = play(client)
    assert flow in lines, f"{flow} was not played: {complaints}"
    assert "skipped" not in lines[flow], lines[flow]["skipped"]
    assert lines[flow]["ok"], lines[flow]["error"]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.nightly
def test_the_flows_detect_a_server_that_repeats_events(client: str) -> None:
    with Emulator(brain=brain, faults=[{"on": "stream", "repeat_after": 3, "times": 0}]) as deviating:
        played = run(client, deviating.url)
    lines = [json.loads(line) for line in played.stdout.splitlines()]
    assert [line["flow"] for line in lines] == [flow["flow"] for flow in FLOWS]
    found = {line["flow"] for line in lines if "an event came twice" in line.get("error", "")}
    assert found >= {"stream", "research_stream_resume"}
    assert lines[0]["flow"] == "text_answer" and lines[0]["ok"]
    assert played.returncode == 1


@pytest.mark.parametrize("client", CLIENT)
def test_the_real_service_is_not_called_without_a_key(client: str) -> None:
    played = run(client, "--live")
    assert (played.returncode, played.stdout) == (2, "")
    assert "set GEMINI_API_KEY" in played.stderr


@pytest.mark.parametrize("client", CLIENT)
def test_live_mode_plays_only_cheap_flows_and_does_not_print_the_key(client: str) -> None:
    with Emulator(brain=brain) as service:
        played = run(client, "--live", GEMINI_API_KEY="a-secret", GOOGLE_GEMINI_BASE_URL=service.url)
        asked = {line["target"] for line in service.interactions()}
    skipped = {line["flow"] for line in map(json.loads, played.stdout.splitlines()) if "skipped" in line}
    assert skipped >= {flow["flow"] for flow in FLOWS if flow["live"] != "yes"}
    assert asked == {MODEL}
    assert "small requests" in played.stderr and "dollars" not in played.stderr
    assert "a-secret" not in played.stdout + played.stderr


def run(client: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Play the flows with a client, in an environment without the user's keys and without a way out."""
    require(client)
    environment |= {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1", "HTTPS_PROXY": "http://127.0.0.1:9"}
    command = [*CLIENTS[client], *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment, check=False)


def require(client: str) -> None:
    """Skip if a client is not installed."""
    if client.startswith("js"):
        there = shutil.which("node") and (HERE / "node_modules" / client.removeprefix("js-")).is_dir()
        way = "install node and npm, then `make conformance-clients`"
    else:
        there, way = Path(CLIENTS[client][0]).exists(), "`make conformance-clients`"
    if not there:
        pytest.skip(f"{client} is not installed: {way}")
