"""The distribution works in an empty environment: installed from its folder, without extras, and as a container."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import httpx2
import pytest

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text()
pytestmark = pytest.mark.nightly


def environment(folder: Path, *requirements: str) -> Path:
    """The `bin` of a new environment with these requirements."""
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
    for variable in ("HTTP_PROXY", "HTTPS_PROXY"):
        os.environ.pop(variable, None)
    run([str(programs / "pip"), "install", "--quiet", "--disable-pip-version-check", *requirements], folder)
    return programs


def run(command: list[str], folder: Path, **variables: str) -> str:
    """The output of a command that must succeed."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG") or "PIP" in name}
    done = subprocess.run(command, cwd=folder, env=kept | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's folder, as a stranger gets it."""
    place = tmp_path_factory.mktemp("source") / "interactions_emulator"
    names = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True).stdout.split(b"\0")
    for name in filter(None, map(os.fsdecode, names)):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, place / name)
    return place


def test_the_first_page_leads_from_nothing_to_a_green_test(source: Path, tmp_path: Path) -> None:
    [requirements] = re.findall(r"^pip install (\./interactions_emulator .+)$", README, re.MULTILINE)
    programs = environment(tmp_path, *requirements.replace("./interactions_emulator", str(source)).split())
    [block] = re.findall(r"```py\n(.*?)```", README, re.DOTALL)
    (tmp_path / "test_agent.py").write_text(block)
    assert "1 passed" in run([str(programs / "pytest"), "-q", "test_agent.py"], tmp_path)
    installed = json.loads(run([str(programs / "pip"), "list", "--format", "json"], tmp_path))
    names = {package["name"].lower() for package in installed}
    assert names.isdisjoint({"google-adk", "matplotlib", "research-desk", "uvloop"})


def test_the_tests_of_the_distribution_need_nothing_else_of_its_repository(source: Path, tmp_path: Path) -> None:
    extras = f"{source}[corpus,model,pictures,uvloop,webhooks]"
    tools = ("google-genai", "hypothesis", "pytest", "pytest-asyncio", "pytest-xdist")
    programs = environment(tmp_path, extras, *tools)
    assert " failed" not in run([str(programs / "pytest"), "-q", "-n", "2", str(source / "tests")], source)


def test_the_steps_of_the_container_start_a_server_that_wants_the_token(source: Path, tmp_path: Path) -> None:
    text = (source / "Containerfile").read_text()
    [install] = re.findall(r"^RUN pip install --no-cache-dir (.+)$", text, re.MULTILINE)
    [command] = re.findall(r"^ENTRYPOINT (.+)$", text, re.MULTILINE)
    programs = environment(tmp_path, install.strip('"').replace("/source", str(source)))
    program, *options = json.loads(command)
    address = tmp_path / "address.json"
    options = [option if option != "8900" else "0" for option in options]
    variables = {"EMULATOR_TOKEN": "the-token", "PATH": os.environ["PATH"]}
    server = subprocess.Popen([programs / program, *options, "--address-file", address], env=variables)
    try:
        while not address.exists():
            assert server.poll() is None
        url = json.loads(address.read_text())["url"].replace("0.0.0.0", "127.0.0.1") + "/v1beta/interactions"
        body = {"model": "gemini-3.8-flash", "input": "Hello!"}
        statuses = [
            httpx2.post(url, json=body, headers={"x-goog-api-key": key}, timeout=60).status_code
            for key in ("another", "the-token")
        ]
        assert statuses == [401, 200]
    finally:
        server.kill()
        server.wait()


def test_without_the_extras_what_needs_them_fails_with_a_sentence(source: Path, tmp_path: Path) -> None:
    programs = environment(tmp_path, str(source))
    program = """
from interactions_emulator import Emulator
import httpx2
HEADERS = {"x-goog-api-key": "any"}
with Emulator() as api:
    def post(path, body):
        return httpx2.post(f"{api.url}/v1beta/{path}", json=body, headers=HEADERS, timeout=60).json()
    drawn = post("interactions", {"model": "m", "input": "Draw a cat", "response_format": {"type": "image"}})
    print(drawn["status"], drawn.get("errors"))
    print(post("webhooks", {"uri": "http://127.0.0.1:1/hook", "subscribed_events": ["interaction.completed"]}))
"""
    said = run([str(programs / "python"), "-c", program], tmp_path)
    assert "failed" in said and "interactions-emulator[pictures]" in said
    assert "interactions-emulator[webhooks]" in said


if sys.platform == "win32":
    pytest.skip("the programs of an environment are in another folder", allow_module_level=True)
