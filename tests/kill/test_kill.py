"""The application is killed with SIGKILL. Asking again finishes the research, which was started only once."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from interactions_emulator import Emulator
from tests.forks import Fork, run
from tests.ports import free_port
from tests.routing.test_conversation import brain
from tools.adk.error_plugin import CLIENT_LEFT

PATIENCE = 300.0
TIDES = """# Tides

The moon causes the tides of the sea by pulling at the water that is nearest to it. The sun does the same with less
force.

When sun and moon stand in one line, the tides are highest, and sailors call them spring tides. In between come the neap
tides, which are the lowest of the month.
"""


@contextmanager
def adk_web(folder: Path, port: int) -> Iterator[tuple[Fork, httpx2.Client]]:
    """A real `adk web` with its data below `folder`."""
    options = ["--port", str(port), "--session_service_uri", f"sqlite:///{folder}/s.db"]
    options += ["--artifact_service_uri", f"file://{folder}/artifacts"]
    with (folder / "web.log").open("ab") as log:
        process = Fork("google.adk.cli", "web", "agents", *options, stdout=log, stderr=log)
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
            until(lambda: answers(client) or process.poll() is not None)
            assert process.poll() is None, (folder / "web.log").read_text()
            yield process, client
    finally:
        process.kill()
        process.wait()


def answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/list-apps").status_code == 200
    except httpx2.HTTPError:
        return False


def until(true: Any) -> None:
    """Waits until a condition holds that another process has to fulfil."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "the other process took too long"
        time.sleep(0.02)


def is_over(client: httpx2.Client) -> bool:
    """Whether ADK has recorded that the client left the turn."""
    session = client.get("/apps/desk/users/ada/sessions/s1").json()
    assert not any(event.get("errorCode") for event in session["events"])
    return any(CLIENT_LEFT in json.dumps(event) for event in session["events"])


def researches(api: Emulator) -> list[dict[str, Any]]:
    return [i for i in api.interactions() if i["target"].startswith("deep-research")]


def turn(text: str) -> dict[str, Any]:
    message = {"role": "user", "parts": [{"text": text}]}
    return {"appName": "desk", "userId": "ada", "sessionId": "s1", "newMessage": message, "streaming": False}


def events(response: httpx2.Response) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line[6:])


def text_of(event: dict[str, Any]) -> str:
    return "".join(part.get("text", "") for part in (event.get("content") or {}).get("parts", []))


@pytest.mark.parametrize("left_by", ["SIGKILL", pytest.param("closing the page", marks=pytest.mark.nightly)])
def test_asking_again_after_a_kill_or_disconnect_finishes_the_research_with_one_create(
    left_by: str, tmp_path: Path, use: Any
) -> None:
    with Emulator(brain=brain, speed=0) as api:
        use(api)
        port = free_port()
        with adk_web(tmp_path, port) as (process, client):
            client.post("/apps/desk/users/ada/sessions/s1").raise_for_status()
            with client.stream("POST", "/run_sse", json=turn("research tides")) as response:
                for event in events(response):
                    if "🔎 Research" in text_of(event):
                        until(lambda: researches(api))
                        api.advance(70)
                    if "Planning" in text_of(event):
                        break
                if left_by == "SIGKILL":
                    process.send_signal(signal.SIGKILL)
            if left_by != "SIGKILL":
                until(lambda: is_over(client))  # until then the session takes no other turn
                said = list(events(client.post("/run_sse", json=turn("hello"))))
                assert "SMALL TALK" in text_of(said[-1])
        api.advance(3000)
        with adk_web(tmp_path, port) as (_, client):
            again = list(events(client.post("/run_sse", json=turn("research tides"))))
        assert "# Tides" in text_of(again[-1])
        assert "https://example.org/moon" in text_of(again[-1])
        assert [research["status"] for research in researches(api)] == ["completed"]
        assert [r for r in api.log()["requests"] if r["status"] >= 400] == []


def test_application_and_embedded_emulator_killed_together_lose_nothing(
    tmp_path: Path, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "tides.md").write_text(TIDES)
    monkeypatch.setenv("DESK_CORPUS", str(tmp_path / "corpus"))
    monkeypatch.setenv("DESK_EMULATOR_SPEED", "300")
    command = ("tools", "research", "A report on tides", "--out", str(tmp_path / "out"))
    address, log = environment / "emulator" / "address.json", tmp_path / "stderr.log"
    with log.open("wb") as told:
        first = Fork(*command, stderr=told)
    try:
        until(lambda: log.read_text().count("\n") >= 2)  # a line of progress: the research runs
        assert "ordered" in log.read_text().splitlines()[0]
        first.kill()
        emulator = json.loads(address.read_text())["pid"]
        os.kill(emulator, signal.SIGKILL)
        again = run(*command)
        assert again.returncode == 0, again.stderr
        assert "continues" in again.stderr
        assert "moon causes the tides" in next((tmp_path / "out").glob("*/report.md")).read_text()
        log = httpx2.get(json.loads(address.read_text())["url"] + "/_emulator/log").json()
        assert log["creates"] == 1
    finally:
        first.kill()
        os.kill(json.loads(address.read_text())["pid"], signal.SIGKILL)
