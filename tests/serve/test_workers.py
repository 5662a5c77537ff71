"""`desk serve --workers`: several processes on one port, with conversations in a database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from interactions_emulator import Emulator
from tests.conftest import ROOT
from tests.forks import run
from tests.kill.test_kill import until
from tests.ports import free_port
from tests.serve.conftest import message, ready, said


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("postgres").create_database()) if request.param == "postgresql" else ""


@pytest.mark.nightly
def test_workers_share_conversations_a_killed_one_is_replaced_and_sigterm_ends_all(
    api: Emulator, database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DESK_DATABASE_URL": database_url}
    command = [sys.executable, "-m", "tools", "serve", "--port", str(port), "--workers", "2"]
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, env=env, stdout=log, stderr=log) as serve:
        try:
            with httpx2.Client(base_url=url, timeout=60) as client:
                until(lambda: ready(client) or serve.poll() is not None)
                assert serve.poll() is None, (tmp_path / "log").read_text()
                assert client.post("/apps/desk/users/me/sessions/s1", json={}).status_code == 200
            for number in range(8):
                with httpx2.Client(base_url=url, timeout=60) as client:  # a new connection, of either worker
                    assert said(client.post("/run", json=message(f"Hello {number}"))) == "SMALL TALK"
            before = workers(serve.pid)
            assert len(before) == 2
            os.kill(before[0], signal.SIGKILL)
            until(lambda: len(workers(serve.pid)) == 2 and before[0] not in workers(serve.pid))
            with httpx2.Client(base_url=url, timeout=60) as client:
                until(lambda: ready(client))
                found = client.get("/apps/desk/users/me/sessions/s1").json()["events"]
            assert [event["author"] for event in found] == ["user", "desk"] * 8
            serve.terminate()
            assert serve.wait(30) == 0
            with pytest.raises(httpx2.ConnectError):
                httpx2.get(f"{url}/healthz", trust_env=False)
        finally:
            serve.kill()


def workers(pid: int) -> list[int]:
    """The worker processes of a server; one more child is Python's tracker of shared resources."""
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_workers_with_conversations_in_memory_are_refused(api: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_SESSIONS_URL", "memory:")
    monkeypatch.setenv("DESK_WORKERS", "2")
    done = run("tools", "serve")
    assert done.returncode == 1
    assert "2 workers cannot share conversations in memory" in done.stderr
