"""Deployed is what is needed and nothing else: no key, no conversation, no test; and the tree boots by itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from interactions_emulator import Emulator
from tests.conftest import ROOT
from tests.deploy.staging import IMAGE, Capture, deploy
from tests.kill.test_kill import until
from tests.ports import free_port
from tests.serve.conftest import AUDIENCE, Issuer, message, said
from tests.serve.conftest import issuer as issuer

SETTING = "DESK_PUBLIC_URL=https://desk.example?a=1&b=(2)"
"""Of which a shell would make something else."""


@pytest.fixture(scope="module")
def cloud_run(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    place = tmp_path_factory.mktemp("cloud-run")
    settings = f"SETTINGS=DESK_ALLOWED_EMAILS=@a.example {SETTING}"
    return deploy("deploy-cloud-run", place, "DATABASE_SECRET=desk-database", settings)


@pytest.fixture(scope="module")
def agent_engine(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    return deploy("deploy-agent-engine", tmp_path_factory.mktemp("agent-engine"), f"SETTINGS={SETTING}")


@pytest.fixture(params=["cloud_run", "agent_engine"])
def capture(request: pytest.FixtureRequest) -> Capture:
    found: Capture = request.getfixturevalue(request.param)
    return found


def test_the_application_and_its_locked_requirements_are_staged(capture: Capture) -> None:
    """All of its files; `make nightly` starts the staged trees."""
    files = {file.relative_to(ROOT) for folder in ("tools", "configs") for file in (ROOT / folder).rglob("*.*")}
    assert {
        str(file) for file in files if file.suffix in (".py", ".yaml", ".html", ".css", ".js", ".md")
    } <= capture.files
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


def test_no_key_conversation_test_or_emulator_is_staged(capture: Capture) -> None:
    for file in capture.files:
        assert not file.startswith(("tests", "interactions_emulator", "evals")), file
        assert not file.endswith((".env", ".db", ".evalset.json")), file
        assert b"PRIVATE-" not in (capture.staged / file).read_bytes(), file


def test_no_key_is_passed_in_plain_text(cloud_run: Capture, agent_engine: Capture) -> None:
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


def test_a_setting_with_shell_characters_arrives_unchanged(cloud_run: Capture, agent_engine: Capture) -> None:
    name, _, value = SETTING.partition("=")
    assert SETTING in cloud_run.arguments[cloud_run.arguments.index("--update-env-vars") + 1].split(",")
    assert json.loads((agent_engine.folder / "config.json").read_text())["env_vars"][name] == value


def test_a_vertex_deployment_needs_no_key(tmp_path: Path) -> None:
    given = deploy("deploy-cloud-run", tmp_path, "BACKEND=vertex").arguments
    assert not any(argument.startswith("--set-secrets") for argument in given)
    variables = given[given.index("--update-env-vars") + 1].split(",")
    assert {"DESK_BACKEND=vertex", "GOOGLE_GENAI_USE_ENTERPRISE=1", "GOOGLE_CLOUD_LOCATION=global"} <= set(variables)


@pytest.mark.parametrize(
    ("setting", "flags"),
    [
        ("", ["--min-instances=1", "--no-cpu-throttling"]),
        ("MIN_INSTANCES=0", ["--min-instances=0", "--cpu-throttling"]),
        ("FOLLOW=0", ["--min-instances=1", "--cpu-throttling"]),
    ],
    ids=["default", "scale to zero", "workers beside it"],
)
def test_a_service_that_scales_to_zero_or_follows_nothing_has_cpu_only_during_requests(
    setting: str, flags: list[str]
) -> None:
    command = ["make", "--dry-run", "deploy-cloud-run", "PROJECT=p", "REGION=r", *filter(None, [setting])]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert [word for word in printed if "instances" in word or "throttling" in word] == flags


def test_a_worker_pool_gets_the_image_keys_and_settings_of_the_service(tmp_path: Path) -> None:
    given = deploy("deploy-worker-pool", tmp_path, "DATABASE_SECRET=desk-database", "SETTINGS=DESK_RETENTION_DAYS=1")
    options = dict(
        option.removeprefix("--").split("=", 1)
        for option in given.arguments
        if option.startswith("--") and "=" in option
    )
    assert given.arguments[:3] == ["run", "worker-pools", "deploy"]
    assert options["image"] == IMAGE
    assert options["set-env-vars"] == "DESK_BACKEND=gemini,GOOGLE_GENAI_USE_ENTERPRISE=0,DESK_RETENTION_DAYS=1"
    assert options["set-secrets"] == "GEMINI_API_KEY=gemini-api-key:latest,DESK_DATABASE_URL=desk-database:latest"
    assert [options["command"], *options["args"].split(",")] == ["python", "-m", "tools", "work"]


STEPS = [line.split(maxsplit=1) for line in (ROOT / "Containerfile").read_text().splitlines() if line]
COPIED = [rest.split() for step, rest in STEPS if step == "COPY"]
"""Of the Containerfile: each source with its target."""


def test_the_image_of_the_containerfile_has_all_that_is_staged_for_cloud_run(cloud_run: Capture) -> None:
    assert all(source == target for source, target in COPIED)
    folders = tuple(f"{source}/" for source, _ in COPIED if (ROOT / source).is_dir())
    assert [file for file in cloud_run.files if not file.startswith(folders)] == ["Dockerfile"]
    assert "--args=-m,tools,serve" in cloud_run.arguments
    assert ["CMD", '["python", "-m", "tools", "serve"]'] in STEPS


@pytest.mark.nightly
def test_the_commands_of_the_containerfile_start_with_the_files_of_its_image(tmp_path: Path) -> None:
    for source, target in COPIED:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / target, dirs_exist_ok=True)
        else:
            (tmp_path / target).parent.mkdir(parents=True)
            shutil.copy(ROOT / source, tmp_path / target)
    [command] = [json.loads(rest) for step, rest in STEPS if step == "CMD"]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GEMINI_API_KEY": "a-key"}
    program = [sys.executable, *command[1:3]]
    assert command[0] == "python"
    for arguments, answer in ((["check"], "desk"), ([command[3], "--host", "0.0.0.0"], "set DESK_OIDC_ISSUER")):
        done = subprocess.run([*program, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert answer in done.stdout + done.stderr, done


CONVERSATION = (
    ("Hello!", "Hello!"),
    ("What is the weather in Paris?", "Paris"),
    ("Moderate: 'You WON a free prize! Click here to claim it!'", "not safe, spam"),
    ("Research how Python manages exceptions, in depth.", "Nothing was started. Say **yes**"),
    ("Yes, please.", "## Sources"),
)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    """Starts a command of a staged tree, which knows nothing but that tree."""
    started: list[subprocess.Popen[bytes]] = []

    def start(tree: Path, *command: str, **variables: str) -> subprocess.Popen[bytes]:
        python = os.environ.get("DESK_STAGED_PYTHON", sys.executable)
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(tree), **variables}
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen([python, *command], cwd=tmp_path, env=env, stdout=log, stderr=log)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def boot(start: Any, cloud_run: Capture) -> Any:
    """Starts the staged tree with the command that Cloud Run was given."""
    given = dict(a.removeprefix("--").split("=", 1) for a in cloud_run.arguments if a.startswith("--") and "=" in a)
    assert given["command"] == "python"
    return lambda **variables: start(cloud_run.staged, *given["args"].split(","), **variables)


@pytest.mark.nightly
def test_the_staged_cloud_run_tree_starts_and_answers(boot: Any, issuer: Issuer, tmp_path: Path, index: Path) -> None:
    port = free_port()
    with Emulator(speed=float("inf"), index=index) as api:
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
        client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=300, headers=headers)
        until(lambda: ready(client, "/readyz"))
        assert httpx2.get(f"http://127.0.0.1:{port}/list-apps").status_code == 401
        converse(client)


@pytest.mark.nightly
def test_the_staged_agent_engine_tree_starts_and_answers(
    start: Any, agent_engine: Capture, issuer: Issuer, tmp_path: Path, index: Path
) -> None:
    """Its image's command and variables, but for where conversations are: in memory, since there is no cloud."""
    credentials = tmp_path / "service-account.json"
    credentials.write_text(json.dumps(issuer.service_account()))
    dockerfile = (agent_engine.staged / "Dockerfile").read_text().splitlines()
    program, *arguments = json.loads(dockerfile[-1].removeprefix("CMD "))
    assert program == "adk"
    port = free_port()
    changed = {"--port": port, "--session_service_uri": "memory://", "--memory_service_uri": "memory://"}
    command = [f"{a.split('=')[0]}={changed[a.split('=')[0]]}" if a.split("=")[0] in changed else a for a in arguments]
    command[-1] = command[-1].replace("/app", str(agent_engine.staged))
    variables = dict(line.removeprefix("ENV ").split("=", 1) for line in dockerfile if line.startswith("ENV GOOGLE_"))
    variables |= json.loads((agent_engine.folder / "config.json").read_text())["env_vars"]
    with Emulator(speed=float("inf"), index=index) as api:
        start(
            agent_engine.staged,
            *("-m", "google.adk.cli", *command),
            **variables,
            GOOGLE_CLOUD_AGENT_ENGINE_ID="1",
            GOOGLE_APPLICATION_CREDENTIALS=str(credentials),
            GOOGLE_VERTEX_BASE_URL=api.url,
            DESK_WEATHER_URL=f"{api.url}/weather",
            DESK_DATA_DIR=str(tmp_path / "data"),
        )
        client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=300)
        until(lambda: ready(client, "/list-apps"))
        converse(client)
        assert client.get("/a2a/desk/.well-known/agent-card.json").json()["name"] == "Research Desk"
        paths = {request["path"] for request in api.log()["requests"] if request["method"] == "POST"}
        assert {path.rsplit("/", 1)[0] for path in paths} == {"/v1beta1/projects/p/locations/global"}


@pytest.mark.nightly
def test_a_deployed_server_refuses_to_start_with_the_emulator(boot: Any, tmp_path: Path) -> None:
    server = {"PORT": "1", "DESK_OIDC_ISSUER": "http://x", "DESK_OIDC_AUDIENCE": "y"}
    process = boot(K_SERVICE="desk", DESK_BACKEND="emulator", **server)
    assert process.wait(60) == 1
    assert "no emulator in a deployed environment" in (tmp_path / "log").read_text()


def converse(client: httpx2.Client) -> None:
    client.post("/apps/desk/users/me/sessions/s1", json={})
    for words, answer in CONVERSATION:
        assert answer in said(client.post("/run", json=message(words)))


def ready(client: httpx2.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx2.HTTPError:
        return False
