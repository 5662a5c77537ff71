"""Two servers over one database: a question of one can be answered at the other, and only once."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx2
import pytest

from interactions_emulator import Emulator
from tests.kill.test_kill import researches, until
from tests.serve.conftest import Process, message, ready, said

TIMES = 3
"""How often a test sends a yes to both servers at once."""
YES = "yes, start the research"

Servers = tuple[httpx2.Client, httpx2.Client]


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.nightly), "postgresql"])
def servers(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, asks: None, api: Emulator, process: Process
) -> Servers:
    """Clients of two processes that share their data."""
    if request.param == "postgresql":
        monkeypatch.setenv("DESK_DATABASE_URL", request.getfixturevalue("postgres").create_database())
    api.set_speed(math.inf)
    (_, one), (_, other) = process(), process()
    until(lambda: ready(one) and ready(other))
    return one, other


def begin(client: httpx2.Client, session: str) -> None:
    assert client.post(f"/apps/desk/users/me/sessions/{session}", json={}).status_code == 200


def say(client: httpx2.Client, words: str, session: str = "s1") -> httpx2.Response:
    return client.post("/run", json=message(words, session=session))


def quote(client: httpx2.Client, brief: str, session: str = "s1") -> str:
    """Orders a run whose price then waits for a yes, and returns its id."""
    asked = said(say(client, f"research {brief}", session))
    assert "Nothing was started. Say **yes**" in asked
    return re.findall(r"job_\w+", asked)[0]


def at_once(*turns: Callable[[], httpx2.Response]) -> list[httpx2.Response]:
    with ThreadPoolExecutor(len(turns)) as pool:
        return [turn.result() for turn in [pool.submit(turn) for turn in turns]]


def test_a_quote_shown_by_one_server_can_be_approved_once_at_the_other(servers: Servers, api: Emulator) -> None:
    one, other = servers
    begin(one, "s1")
    job_id = quote(one, "tides")
    assert researches(api) == []
    assert "# Tides" in said(say(other, YES))
    assert len(researches(api)) == 1
    for server in servers:
        assert "# Tides" in said(say(server, f"{YES} {job_id}"))  # shows the finished run
    assert len(researches(api)) == 1


def test_a_yes_that_reaches_both_servers_at_once_counts_once(servers: Servers, api: Emulator) -> None:
    one, other = servers
    begin(one, "s1")
    for number in range(1, TIMES + 1):
        yes = f"{YES} {quote(one, f'the tides of sea {number}')}"
        answers = at_once(partial(say, one, yes), partial(say, other, yes))
        assert sorted(answer.status_code for answer in answers) in ([200, 200], [200, 409])  # one turn at a time
        for server, answer in zip(servers, answers, strict=True):
            if answer.status_code == 409:  # sends the refused yes again, as the answer asks
                assert "# Tides" in said(say(server, yes))
        assert len(researches(api)) == number


def test_two_simultaneous_approvals_in_two_conversations_start_one_run(servers: Servers, api: Emulator) -> None:
    one, other = servers
    for session in ("s1", "s2"):
        begin(one, session)
    for number in range(1, TIMES + 1):
        job_id = quote(one, f"the tides of sea {number}")
        answers = at_once(partial(say, one, YES), partial(say, other, f"{YES} {job_id}", "s2"))
        assert [answer.status_code for answer in answers] == [200, 200]
        assert len(researches(api)) == number
