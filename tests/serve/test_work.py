"""Servers that follow no research, and workers beside them that do nothing else, are separate processes."""

from __future__ import annotations

import asyncio
import socket

import httpx2
import pytest
import yaml
from sqlalchemy import text

from interactions_emulator import Emulator
from tests.conftest import ROOT
from tests.forks import Fork, run
from tests.kill.test_kill import researches, until
from tests.notices.conftest import Configure, Receiver, hook
from tests.notices.conftest import configure as configure
from tests.notices.conftest import receiver as receiver
from tests.serve.conftest import Process, message, ready, said
from tools.research.database import Database
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.settings import load_settings


def manifest_command(name: str) -> list[str]:
    """What a deployment of the Kubernetes manifest runs as `desk …`, but for its address."""
    documents = yaml.safe_load_all((ROOT / "docs" / "kubernetes.yaml").read_text())
    [spec] = [each["spec"] for each in documents if (each["kind"], each["metadata"]["name"]) == ("Deployment", name)]
    [container] = spec["template"]["spec"]["containers"]
    program, arguments = container["command"], container["args"]
    assert program[:3] == ["python", "-m", "tools"]
    return [program[3], *arguments[: arguments.index("--host")]]


async def started(process: Process, name: str) -> tuple[Fork, httpx2.Client]:
    """A process of a deployment of the manifest that takes requests, with a client of it."""
    found, client = process(*manifest_command(name))
    await asyncio.to_thread(until, lambda: ready(client))
    return found, client


@pytest.mark.parametrize("database", [pytest.param("sqlite", marks=pytest.mark.nightly), "postgresql"])
async def test_a_worker_finishes_the_research_of_a_server_and_of_a_killed_worker_and_sends_its_notices(
    database: str,
    process: Process,
    api: Emulator,
    configure: Configure,
    receiver: Receiver,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if database == "postgresql":
        monkeypatch.setenv("DESK_DATABASE_URL", request.getfixturevalue("postgres").create_database())
    configure("notify:\n" + hook(receiver))
    _, server = await started(process, "desk")
    assert server.get("/readyz").json() == {"status": "ok"}
    server.post("/apps/desk/users/me/sessions/s1").raise_for_status()
    turn = asyncio.create_task(asyncio.to_thread(server.post, "/run", json=message("research tides")))
    worker, _ = await started(process, "desk-work")
    ledger = Ledger(load_settings().ledger_url)
    while not (jobs := await ledger.find()) or not jobs[0].interaction_id:
        await asyncio.sleep(0.02)
    worker.kill()
    worker.wait()
    database = Database(load_settings().ledger_url)
    await database.execute(text("UPDATE research_jobs SET lease_until = 0"), {})  # the dead worker's lease expired
    await database.close()
    await asyncio.to_thread(api.advance, 3600)
    await started(process, "desk-work")
    assert "# Tides" in said(await turn)
    await asyncio.to_thread(until, lambda: receiver.webhooks)
    assert [body["type"] for _, body in receiver.webhooks] == ["research.completed"]
    assert ((await ledger.find())[0].state, len(researches(api))) == (State.COMPLETED, 1)
    await ledger.close()


def test_a_worker_without_a_usable_ledger_says_so_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_DATABASE_URL", "mysql://a@b/c")
    result = run("tools", "work")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "DESK_DATABASE_URL" in result.stderr


async def test_a_worker_refuses_a_request_head_without_end(process: Process) -> None:
    _, client = await started(process, "desk-work")
    place = client.base_url.host, client.base_url.port or 0
    with socket.create_connection(place, timeout=300) as connection, pytest.raises(ConnectionError):
        connection.sendall(b"GET /?")
        for _ in range(20):
            connection.sendall(b"a" * 1_000_000)
