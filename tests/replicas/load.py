"""Load on several replicas over one PostgreSQL, while replicas are killed and PostgreSQL restarts."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from google.adk.events import Event

from interactions_emulator import Emulator
from tests.conftest import ROOT
from tests.forks import Fork
from tests.ledger.server import Server
from tests.ports import free_port
from tests.routing.test_conversation import brain
from tools.adk.chain_plugin import without_rewound
from tools.research.job_states import ACTIVE, State
from tools.research.ledger import Ledger

SPEED = 60.0
"""Virtual seconds per real second: a research of 20 minutes takes 20 seconds."""
PATIENCE = 900.0
AGAIN = "nothing was done"
"""Text of an answer that was given while the database was away."""
ASKS = "Say **yes** to start it"
"""Text of the answer to an order whose price waits for a yes."""


@dataclass(frozen=True)
class Plan:
    """The amount of load."""

    replicas: int = 2
    researches: int = 40
    conversations: int = 10
    turns: int = 4
    """Turns of each conversation."""
    kills: int = 3
    at_once: int = 12
    """Number of clients at a time."""
    seed: int = 2026


@dataclass
class Outcome:
    """The result of the load."""

    researches: int = 0
    states: Counter[str] = field(default_factory=Counter)
    """Final states of the jobs."""
    started: Counter[str] = field(default_factory=Counter)
    """How often each brief was started at the server."""
    conversations: dict[str, list[str]] = field(default_factory=dict)
    """Messages and answers of each conversation, as the sessions have them in the end."""
    wanted: dict[str, list[str]] = field(default_factory=dict)
    """Messages and answers of each conversation, as the clients had them."""
    yeses: int = 0
    """How often somebody agreed to a price."""
    kills: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def lost(self) -> int:
        """Number of runs that have no report and whose start is not known to be in doubt.

        If a replica dies while it sends a create, nobody can know whether the run was started: the ledger says so, and
        a person decides.
        """
        return self.researches - self.states[State.COMPLETED] - self.states[State.START_UNKNOWN]

    @property
    def twice(self) -> list[str]:
        """Briefs that were paid for more than once."""
        return [brief for brief, times in self.started.items() if times > 1]

    @property
    def wrong(self) -> list[str]:
        """Conversations in which a message or its answer is lost, repeated or out of order."""
        return [name for name, said in self.wanted.items() if self.conversations.get(name) != said]


@dataclass
class Fleet:
    """Replicas of `desk serve`, each a process of its own."""

    env: dict[str, str]
    folder: Path
    ports: list[int]
    processes: dict[int, Fork] = field(default_factory=dict)

    def start(self, port: int) -> None:
        with (self.folder / f"{port}.log").open("ab") as log:
            command = ("tools", "serve", "--port", str(port))
            self.processes[port] = Fork(*command, env=self.env, stdout=log, stderr=log)

    def kill(self, port: int) -> None:
        os.kill(self.processes[port].pid, signal.SIGKILL)
        self.processes[port].wait()

    async def ready(self, client: httpx2.AsyncClient, port: int) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            assert self.processes[port].poll() is None, f"replica {port} ended: see {self.folder}/{port}.log"
            assert time.monotonic() < end, f"replica {port} does not get ready"
            await asyncio.sleep(0.1)


@contextmanager
def fleet(server: Server, api: Emulator, folder: Path, replicas: int) -> Iterator[tuple[Fleet, str]]:
    url = server.create_database()
    ports = list[int]()
    while len(ports) < replicas:
        ports += {free_port()} - {*ports}
    env = {name: value for name, value in os.environ.items() if name != "DESK_ASK_ABOVE_USD"} | {
        "PYTHONPATH": str(ROOT),
        "DESK_BACKEND": "emulator",
        "GOOGLE_GEMINI_BASE_URL": api.url,
        "DESK_DATABASE_URL": url,
        "DESK_DATA_DIR": str(folder / "data"),
        "DESK_ATTACH_SECONDS": "0.2",
        "DESK_POOL_SIZE": "3",
        "DESK_TURNS_PER_MINUTE": "100000",
        "DESK_TURNS_AT_ONCE": "100",
    }
    found = Fleet(env, folder, ports)
    try:
        for port in ports:
            found.start(port)
        yield found, url
    finally:
        for process in found.processes.values():
            process.kill()
            process.wait()


async def play(plan: Plan, server: Server, folder: Path) -> Outcome:
    """Plays the load of a plan, and returns the result."""
    outcome, chance, began = Outcome(researches=plan.researches), random.Random(plan.seed), time.monotonic()
    with Emulator(brain=brain, speed=SPEED) as api, fleet(server, api, folder, plan.replicas) as (replicas, url):
        async with httpx2.AsyncClient(timeout=300, limits=httpx2.Limits(max_connections=100)) as client:
            await asyncio.gather(*(replicas.ready(client, port) for port in replicas.ports))
            work = [_research(client, replicas, outcome, chance, i) for i in range(plan.researches)]
            work += [_converse(client, replicas, outcome, chance, i, plan.turns) for i in range(plan.conversations)]
            chance.shuffle(work)
            free = asyncio.Semaphore(plan.at_once)

            async def one(task: Any) -> None:
                async with free:
                    await task

            trouble = asyncio.create_task(_trouble(plan, client, replicas, server, outcome, chance))
            await asyncio.gather(*map(one, work))
            await trouble
            await _settle(url)
            for name in outcome.wanted:
                outcome.conversations[name] = await _told(client, replicas, name)
        outcome.states = await _states(url)
        inputs = (i["input"] for i in api.interactions() if i["target"].startswith("deep-research"))
        outcome.started = Counter(inputs)
    outcome.seconds = time.monotonic() - began
    return outcome


async def _research(
    client: httpx2.AsyncClient, replicas: Fleet, outcome: Outcome, chance: random.Random, number: int
) -> None:
    words, tries = f"research the tides of sea {number}", 0
    while True:
        tries += 1
        answer = await _turn(client, replicas, outcome, chance, f"r{number}", words, f"message-{tries}")
        if ASKS in answer:  # asks again if a replica died after the yes
            outcome.yeses += 1
            words = "yes, start the research"
        elif AGAIN not in answer:
            break
    assert any(words in answer for words in ("begins", "still running", "Tides", "is not known")), answer


async def _converse(
    client: httpx2.AsyncClient, replicas: Fleet, outcome: Outcome, chance: random.Random, number: int, turns: int
) -> None:
    name = f"c{number}"
    outcome.wanted[name] = []
    for turn in range(turns):
        words = f"Hello {turn} of {name}" if turn % 2 else f"please search for {turn} of {name}"
        answer = await _turn(client, replicas, outcome, chance, name, words, f"turn-{turn}")
        outcome.wanted[name] += [words, answer]


async def _turn(
    client: httpx2.AsyncClient,
    replicas: Fleet,
    outcome: Outcome,
    chance: random.Random,
    user: str,
    words: str,
    key: str,
) -> str:
    """Takes a turn of a user's only conversation. Repeats it until it is answered, as a client would."""
    content = {"role": "user", "parts": [{"text": words}]}
    body = {"appName": "desk", "userId": user, "sessionId": "s1", "newMessage": content}
    end = time.monotonic() + PATIENCE
    while True:
        base = f"http://127.0.0.1:{chance.choice(replicas.ports)}"
        try:
            answer = await client.post(f"{base}/run", json=body, headers={"Idempotency-Key": key})
            if answer.status_code == 200:
                events = answer.json()
                if not events[-1].get("errorCode"):
                    said = [event["content"]["parts"] for event in events if "content" in event]
                    return "".join(part.get("text", "") for part in said[-1])
                outcome.retries[events[-1]["errorCode"]] += 1  # the database is away: the answer says to ask again
            else:
                if answer.status_code == 404:
                    await client.post(f"{base}/apps/desk/users/{user}/sessions/s1", json={})
                outcome.retries[str(answer.status_code)] += 1
        except httpx2.HTTPError as error:
            outcome.retries[type(error).__name__] += 1
        await asyncio.sleep(chance.uniform(0.05, 0.3))
        assert time.monotonic() < end, f"{user}: {words} is not answered: {outcome.retries}"


async def _trouble(
    plan: Plan, client: httpx2.AsyncClient, replicas: Fleet, server: Server, outcome: Outcome, chance: random.Random
) -> None:
    """Kills one replica after another and waits until each is back; halfway it restarts PostgreSQL."""
    for number in range(plan.kills):
        await asyncio.sleep(chance.uniform(1, 3))
        if number == plan.kills // 2:
            await asyncio.to_thread(server.restart)
        port = chance.choice(replicas.ports)
        replicas.kill(port)
        outcome.kills += 1
        replicas.start(port)
        await replicas.ready(client, port)


async def _settle(url: str) -> None:
    """Waits until no research is under way."""
    end = time.monotonic() + PATIENCE
    while under_way := {state: n for state, n in (await _states(url)).items() if state in ACTIVE}:
        assert time.monotonic() < end, f"researches are not done: {under_way}"
        await asyncio.sleep(1)


async def _states(url: str) -> Counter[str]:
    ledger = Ledger(url)
    try:
        return Counter(job.state for job in await ledger.find(limit=100_000))
    finally:
        await ledger.close()


async def _told(client: httpx2.AsyncClient, replicas: Fleet, user: str) -> list[str]:
    """Each message of a conversation and the last text of its turn, without the turns that were undone."""
    answer = await client.get(f"http://127.0.0.1:{replicas.ports[0]}/apps/desk/users/{user}/sessions/s1")
    told: list[str] = []
    for event in without_rewound([Event.model_validate(each) for each in answer.json()["events"]]):
        text = "".join(part.text or "" for part in (event.content.parts if event.content else None) or [])
        if event.author == "user" and text:
            told += [text, ""]
        elif text:
            told[-1] = text
    return told
