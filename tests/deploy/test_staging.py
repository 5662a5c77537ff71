"""Deployed is what is needed and nothing else: no key, no conversation, no test; and the tree boots by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactions_emulator import Emulator
from interactions_emulator.emulator import bind
from tests.deploy.staging import Capture, deploy
from tests.kill.test_kill import until
from tests.serve.conftest import AUDIENCE, Issuer, message, said
from tests.serve.conftest import issuer as issuer


@pytest.fixture(scope="module")
def cloud_run(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    place = tmp_path_factory.mktemp("cloud-run")
    return deploy("deploy-cloud-run", place, "DATABASE_SECRET=desk-database", "SETTINGS=DESK_ALLOWED_EMAILS=@a.example")


@pytest.fixture(scope="module")
def agent_engine(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    return deploy("deploy-agent-engine", tmp_path_factory.mktemp("agent-engine"))


@pytest.fixture(params=["cloud_run", "agent_engine"])
def capture(request: pytest.FixtureRequest) -> Capture:
    found: Capture = request.getfixturevalue(request.param)
    return found


def test_the_application_and_its_locked_requirements_go_along(capture: Capture) -> None:
    assert {
        "Dockerfile",
        "agents/desk/__init__.py",
        "agents/desk/agent.py",
        "agents/desk/requirements.txt",
        "configs/desk.yaml",
        "tools/__main__.py",
        "tools/server/app.py",
    } <= capture.files
    assert "--hash=sha256:" in (capture.staged / "agents/desk/requirements.txt").read_text()


def test_no_key_no_conversation_no_test_and_no_emulator_does(capture: Capture) -> None:
    for file in capture.files:
        assert not file.startswith(("tests", "interactions_emulator", "evals")), file
        assert not file.endswith((".env", ".db", ".evalset.json")), file
        assert b"PRIVATE-" not in (capture.staged / file).read_bytes(), file


def test_no_key_is_given_in_the_clear(cloud_run: Capture, agent_engine: Capture) -> None:
    assert "PRIVATE-" not in " ".join(cloud_run.arguments)
    config = (agent_engine.folder / "config.json").read_text()
    assert "PRIVATE-" not in config
    assert json.loads(config)["env_vars"]["DESK_BACKEND"] == "vertex"


def test_the_key_and_the_database_come_from_secret_manager(cloud_run: Capture) -> None:
    given = cloud_run.arguments
    assert "--set-secrets=GEMINI_API_KEY=gemini-api-key:latest,DESK_DATABASE_URL=desk-database:latest" in given
    variables = given[given.index("--update-env-vars") + 1].split(",")
    assert {"DESK_BACKEND=gemini", "GOOGLE_GENAI_USE_ENTERPRISE=0", "DESK_ALLOWED_EMAILS=@a.example"} <= set(variables)
    assert not any("KEY" in variable for variable in variables)


def test_vertex_needs_no_key(tmp_path: Path) -> None:
    given = deploy("deploy-cloud-run", tmp_path, "BACKEND=vertex").arguments
    assert not any(argument.startswith("--set-secrets") for argument in given)
    variables = given[given.index("--update-env-vars") + 1].split(",")
    assert {"DESK_BACKEND=vertex", "GOOGLE_GENAI_USE_ENTERPRISE=1", "GOOGLE_CLOUD_LOCATION=global"} <= set(variables)


@pytest.fixture
def boot(cloud_run: Capture, tmp_path: Path) -> Iterator[Any]:
    """Starts the staged tree with the command that Cloud Run was given, knowing nothing but itself."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**variables: str) -> subprocess.Popen[bytes]:
        given = dict(a.removeprefix("--").split("=", 1) for a in cloud_run.arguments if a.startswith("--") and "=" in a)
        assert given["command"] == "python"
        python = os.environ.get("DESK_STAGED_PYTHON", sys.executable)
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(cloud_run.staged), **variables}
        with (tmp_path / "log").open("ab") as log:
            command = [python, *given["args"].split(",")]
            started.append(subprocess.Popen(command, cwd=tmp_path, env=env, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_the_staged_tree_boots_by_itself_and_answers(boot: Any, issuer: Issuer, tmp_path: Path) -> None:
    with bind(0) as socket:
        port = socket.getsockname()[1]
    with Emulator(speed=float("inf")) as api:
        boot(
            K_SERVICE="desk",
            PORT=str(port),
            DESK_BACKEND="gemini",
            GEMINI_API_KEY="a-key",
            GOOGLE_GEMINI_BASE_URL=api.url,
            DESK_WEATHER_URL=f"{api.url}/weather",
            DESK_DATA_DIR=str(tmp_path / "data"),
            DESK_OIDC_ISSUER=issuer.url,
            DESK_OIDC_AUDIENCE=AUDIENCE,
        )
        headers = {"Authorization": f"Bearer {issuer.token('ada')}"}
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, headers=headers)
        until(lambda: ready(client))
        assert httpx.get(f"http://127.0.0.1:{port}/list-apps").status_code == 401
        client.post("/apps/desk/users/me/sessions/s1", json={})
        for words, answer in (
            ("Hello!", "Hello!"),
            ("What is the weather in Paris?", "Paris"),
            ("Moderate: 'You WON a free prize! Click here to claim it!'", "not safe, spam"),
            ("Research how Python manages exceptions, in depth.", "## Sources"),
        ):
            assert answer in said(client.post("/run", json=message(words)))


def test_deployed_the_emulator_is_never_an_answer(boot: Any, tmp_path: Path) -> None:
    for variables in ({}, {"DESK_BACKEND": "emulator"}):
        process = boot(K_SERVICE="desk", PORT="1", DESK_OIDC_ISSUER="http://x", DESK_OIDC_AUDIENCE="y", **variables)
        assert process.wait(60) == 1
        assert "no emulator in a deployed environment" in (tmp_path / "log").read_text()


def ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False
