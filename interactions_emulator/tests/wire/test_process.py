"""The server as a process of its own: killed and started again, found by its address file, ended when idle."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from interactions_emulator.cli import app
from wire.brains import RESEARCH, WAIT
from wire.conftest import MODEL, Wire, research


class Process:
    """A child that runs `python -m interactions_emulator` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children: list[subprocess.Popen[str]] = []
        (folder / "corpus").mkdir()
        scenario = {"match": {"text": "tides"}, "wait": WAIT, "steps": RESEARCH}
        (folder / "scenarios.yaml").write_text(yaml.safe_dump([scenario]))

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Start a child without waiting for it."""
        command = [sys.executable, "-m", "interactions_emulator", "--corpus", "corpus", *options]
        environment = os.environ | {"COLUMNS": "200"}
        child = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.children.append(child)
        return child

    def serve(self, *options: str) -> tuple[subprocess.Popen[str], str]:
        """Start a child and return it with its address, once it serves."""
        child = self.start(*options)
        assert child.stdout
        said = child.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert address, said + (child.stderr.read() if child.stderr else "")
        return child, address.group()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    yield process
    for child in process.children:
        child.kill()
        child.communicate()


def advance(wire: Wire, seconds: float) -> None:
    """Move the child's virtual time."""
    control = str(wire.http.base_url.join("/_emulator/clock"))
    assert wire.http.post(control, json={"advance": seconds}).status_code == 200


def without_ids(events: list[dict[str, Any]]) -> str:
    """Events with all that differs from run to run left out."""
    text = json.dumps(events)
    return re.sub(r"v1_emu_[\w-]+|evt_.{6}_|\d{4}-\d\d-\d\dT[\d:]+Z", "", text)


def refused(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    """What the command says on stderr in a folder, when it ends with status 2 and without serving."""
    monkeypatch.chdir(folder)
    ended = CliRunner().invoke(app, options, env={"COLUMNS": "200"})
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert isinstance(ended.exception, SystemExit)
    return ended.stderr


def test_a_killed_server_resumes_and_sends_each_event_once(process: Process) -> None:
    options = ["--state", "state.db", "--speed", "0", "--scenarios", "scenarios.yaml"]
    child, url = process.serve(*options)
    wire = Wire(url)
    whole = wire.create(research())["id"]
    advance(wire, len(RESEARCH) * WAIT)
    killed = wire.stream(research())
    seen = [next(killed), next(killed)]
    cancelled = wire.create(research())["id"]
    wire.http.post(f"/interactions/{cancelled}/cancel")
    interaction_id = seen[0]["interaction"]["id"]
    for done in range(1, 4):
        advance(wire, WAIT)
        before = wire.get(interaction_id)["steps"]
        assert before == RESEARCH[:done]
        child.send_signal(signal.SIGKILL)
        child.wait()
        child, url = process.serve(*options)
        wire = Wire(url)
        assert wire.get(interaction_id)["steps"] == before
    resumed = wire.resume(interaction_id, seen[-1]["event_id"])
    seen.append(next(resumed))
    advance(wire, len(RESEARCH) * WAIT)
    seen.extend(resumed)
    assert without_ids(seen) == without_ids(list(wire.resume(whole)))
    assert seen == list(wire.resume(interaction_id))
    assert wire.get(interaction_id)["steps"] == RESEARCH
    assert wire.get(cancelled)["status"] == "cancelled"
    log = wire.http.get(f"{url}/_emulator/log").json()
    assert (log["creates"], {line["kind"] for line in log["requests"]}) == (3, {"get", "resume"})


def test_two_servers_cannot_share_a_state_file(process: Process) -> None:
    process.serve("--state", "state.db")
    second = process.start("--state", "state.db")
    said = second.communicate(timeout=300)[1]
    assert (second.returncode, "state.db is in use by another emulator" in said) == (2, True)


def test_the_address_file_holds_url_and_pid_and_an_idle_server_exits(process: Process) -> None:
    address = process.folder / "address.json"
    child, url = process.serve("--address-file", str(address), "--idle-exit", "0.3")
    assert json.loads(address.read_text()) == {"url": url, "pid": child.pid}
    assert child.wait(timeout=300) == 0


def test_a_taken_port_is_an_error_with_port_but_not_with_prefer_port(process: Process) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = process.start("--port", port)
        assert f"port {port}" in refused.communicate(timeout=300)[1]
        assert refused.returncode == 2
        assert not process.serve("--prefer-port", port)[1].endswith(port)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (
            ["--port", "99999"],
            "port 99999 on 127.0.0.1 cannot be used (a port is a number up to 65535): choose another",
        ),
        (["--corpus", "file.md"], "the corpus file.md is a file: name the folder of your documents"),
        (["--index", "corpus"], "the index corpus is a folder: name a file"),
        (["--index", "/proc/x.db"], "the index /proc/x.db cannot be written (/proc: "),
        (["--index", "new/x.db"], "the index new/x.db cannot be written (new: No such file or directory): name a file"),
        (["--address-file", "file.md/x"], "the address file file.md/x cannot be written (Not a directory)"),
        (["--address-file", "."], "the address file . cannot be written ("),
        (["--state", "file.md/x"], "there is no folder file.md for the state file: create it, or name another file"),
        (["--state", "new/x"], "there is no folder new for the state file: create it, or name another file"),
        (
            ["--state", "/proc/x"],
            "/proc/x cannot be used as a state file (",
        ),
        (["--corpus", ""], "Invalid value for '--corpus': it is empty: name a file or folder, or leave the option out"),
        (["--webhook-host", ""], "the webhook host '' is not a host: give only its name"),
        (["--token", ""], "--token is empty, and any API key would do: give one, or leave the option out"),
        (["--state", "."], ". cannot be used as a state file ("),
        (["record", "file.md/x"], "file.md/x cannot be written (Not a directory): name a file in an existing folder"),
        (["--address-file", "no/file"], "the address file no/file cannot be written (No such file or directory)"),
        (["--retention-days", "-1"], "greater than or equal to 0"),
        (
            ["--webhook-host", "http://a.example"],
            "the webhook host 'http://a.example' is not a host: give only its name",
        ),
        (["--most-stored", "0"], "greater than or equal to 1"),
        (["--idle-exit", "-1"], "greater than or equal to 0"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_an_option_that_cannot_work_ends_the_command_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], why: str
) -> None:
    (tmp_path / "file.md").write_text("# Tides")
    (tmp_path / "corpus").mkdir()
    assert why in refused(tmp_path, monkeypatch, "--corpus", "corpus", *options)


def test_a_folder_without_documents_is_told(process: Process) -> None:
    child, url = process.serve()
    assert Wire(url).http.get(f"{url}/").json()["documents"] == 0
    child.terminate()
    assert "corpus has no document: put files there that end with .md" in child.communicate(timeout=300)[1]


def test_the_server_exits_on_sigterm_with_open_streams(process: Process) -> None:
    child, url = process.serve("--speed", "0", "--scenarios", "scenarios.yaml")
    stream = Wire(url).stream(research())
    next(stream)
    child.terminate()
    assert child.wait(timeout=300) == 0


def test_invalid_scenarios_are_reported_at_startup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.yaml").write_text("- match: {colour: red}")
    assert "colour" in refused(tmp_path, monkeypatch, "--scenarios", "bad.yaml")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--faults", "bad.json"], "on is one of"),
        (["--faults", "bad.yaml.json"], "bad.yaml.json is not JSON"),
        (["--fault", "zombi"], "did you mean zombie?"),
        (["--fault", "no.json"], "the fault file no.json: No such file or directory: name a file that can be read"),
        (["--fault", "none.json"], "the fault file none.json has no fault: write a list such as [{"),
        (["--fault", "pipe.json"], "the fault file pipe.json is a pipe or a device: save its contents"),
        (["--fault", "comma.json"], "the fault file comma.json is not JSON ("),
        (["--fault", "[" * 2_000], "--fault is not JSON (recursion limit exceeded"),
        (["--fault", '{"on": "create"}'], "--fault: fault: {'on': 'create'} has no effect"),
    ],
    ids=["place", "no json", "name", "no file", "none", "pipe", "comma", "depth", "effect"],
)
def test_invalid_faults_are_reported_at_startup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], why: str
) -> None:
    (tmp_path / "bad.yaml.json").write_text("- on: create")
    (tmp_path / "bad.json").write_text('{"on": "lunch", "drop": true}')
    (tmp_path / "comma.json").write_text('[{"on": "create", "status": 503},]')
    (tmp_path / "none.json").write_text("[]")
    os.mkfifo(tmp_path / "pipe.json")
    assert why in refused(tmp_path, monkeypatch, *options)


def test_faults_are_given_by_name_and_listed_by_a_command(process: Process) -> None:
    (process.folder / "faults.json").write_text('[{"on": "create", "status": 418}]')
    _, url = process.serve(
        "--fault", "rate_limited", "--faults", "faults.json", "--fault", '{"on": "create", "status": 500}'
    )
    wire = Wire(url)
    body = {"model": MODEL, "input": "x"}
    assert [wire.http.post("/interactions", json=body).status_code for _ in range(4)] == [429, 418, 500, 200]
    listed = CliRunner().invoke(app, ["faults"]).stdout
    assert "accepted_then_404" in listed and '{"on": "stream", "cut_after": 4}' in listed


def test_importing_the_package_does_not_load_a_server() -> None:
    code = "import sys, interactions_emulator; print([name for name in sys.modules if name in ('httptools', 'yaml')])"
    environment = dict(os.environ)
    assert subprocess.check_output([sys.executable, "-c", code], env=environment, text=True).strip() == "[]"
