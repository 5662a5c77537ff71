"""A client that disconnects in the middle of a turn leaves no lock and takes no database connection with it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import httpx2
import pytest

from interactions_emulator import Emulator
from tests.kill.test_kill import until
from tests.serve.conftest import Serve, message
from tools.databases.shielded import finish_shielded
from tools.research.database import Database
from tools.research.locks import Locks
from tools.settings import load_settings

EVENTS = 5
"""Number of `data:` lines that research sends before it falls silent."""
TIMES = 25
"""Disconnects on each database; 50 in all."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly)])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("postgres").create_database()) if request.param == "postgresql" else ""


def leave(client: httpx2.Client, user: str, event: int) -> None:
    """Begins a turn and closes the connection at its n-th event."""
    body = message("research the tides", user=user, streaming=True)
    with client.stream("POST", "/run_sse", json=body) as answer:
        for line in answer.iter_lines():
            event -= line.startswith("data:")
            if not event:
                return
    raise AssertionError("the turn ended before")


def begin(client: httpx2.Client, user: str) -> None:
    answer = client.post(f"/apps/desk/users/{user}/sessions/s1", json={})
    assert answer.status_code == 200, answer.text


def test_a_client_that_disconnects_during_a_turn_leaves_nothing_locked(
    serve: Serve, api: Emulator, database_url: str
) -> None:
    client = serve(database_url=database_url, attach_seconds=60)
    for number in range(TIMES):
        begin(client, f"leaves-{number}")
        with httpx2.Client(base_url=client.base_url, timeout=300) as tab:
            leave(tab, f"leaves-{number}", number % EVENTS + 1)
        begin(client, f"stays-{number}")
        assert client.get("/readyz").status_code == 200
    # the user who disconnected can go on with the conversation
    until(lambda: client.post("/run", json=message("hello", user=f"leaves-{TIMES - 1}")).status_code == 200)


async def test_a_turn_cancelled_while_it_takes_its_session_lock_leaves_the_session_free(api: Emulator) -> None:
    database = Database(load_settings().ledger_url)
    turns = Locks(database)

    async def hold() -> None:
        async with turns.hold("desk/ada/s1"):
            await asyncio.Event().wait()

    await database.prepare()
    ended = threading.Event()
    writing = asyncio.create_task(database.write(lambda _: ended.wait()))  # the next statement waits for this one
    task = asyncio.create_task(hold())
    for _ in range(10):  # rounds of the event loop, after which the statement is queued
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    ended.set()
    await writing
    await turns.close()
    await finish_shielded()  # waits for the statement that the turn had begun
    assert not await turns.held("desk/ada/s1")
    await database.close()
