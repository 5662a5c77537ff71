"""Measures the cost of followers: real ones in this process, with PostgreSQL and an emulator as separate processes.

`make bench-scaling ARGS=--measure` prints the results; `scaling.py` calculates with them.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, aclosing, contextmanager, suppress
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import httpx2
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

from tests.ledger.server import Server, postgresql
from tools.interactions.backend import EMULATOR_KEY
from tools.interactions.endpoint import gemini_endpoint
from tools.interactions.resources import Event
from tools.interactions.transport import Transport
from tools.research.api_client import CreateRequest, InteractionsClient
from tools.research.job import FollowUpAnswer, Job, Plan, new_job
from tools.research.job_states import State
from tools.research.job_texts import FOLLOWED_ELSEWHERE
from tools.research.leases import Leases
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.research.service import Research
from tools.research.timeouts import ResearchTimeouts

AGENT = "deep-research-preview-04-2026"
JOBS = 300
"""Number of research runs that are followed at once."""
SECONDS = 10.0
"""Seconds for which followers are measured while they only wait."""
TURNS = 50
"""Number of turns of a conversation that are measured."""
LONG_AGO = 86_400.0


class Statements:
    """Counts the statements and transactions of this process on all database engines."""

    def __init__(self) -> None:
        self.verbs: Counter[str] = Counter()
        event.listen(Engine, "before_cursor_execute", self._execute)
        event.listen(Pool, "checkout", self._checkout)

    def _execute(self, connection: object, cursor: object, statement: str, *_: object) -> None:
        self.verbs[statement.split(None, 1)[0].upper()] += 1

    def _checkout(self, *_: object) -> None:
        self.verbs["transactions"] += 1

    def take(self) -> Counter[str]:
        """Returns the counts since the last call."""
        found, self.verbs = self.verbs, Counter()
        return found


class Counting(InteractionsClient):
    """Counts the events that it passes on."""

    events = 0

    async def create(self, request: CreateRequest) -> AsyncGenerator[Event, None]:
        async with aclosing(super().create(request)) as stream:
            async for each in stream:
                self.events += 1
                yield each

    async def stream(self, interaction_id: str, last_event_id: str | None) -> AsyncGenerator[Event, None]:
        async with aclosing(super().stream(interaction_id, last_event_id)) as stream:
            async for each in stream:
                self.events += 1
                yield each


@contextmanager
def emulator() -> Iterator[str]:
    """An emulator in a process of its own, whose time stands still: its address."""
    command = [sys.executable, "-m", "interactions_emulator", "--speed", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        try:
            found = re.search(r"http://[\w.]+:\d+", child.stdout.readline())
            assert found
            yield found[0]
        finally:
            child.kill()


def resident(process: int | str = "self") -> int:
    """Bytes of memory that a process holds."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1]) * 1024


def row(name: str, value: float | str) -> None:
    print(f"| {name} | {value if isinstance(value, str) else f'{value:,.3g}' if value < 100 else f'{value:,.0f}'} |")


def shown(verbs: Mapping[str, int], by: float) -> str:
    """The counts divided by `by`, as text."""
    parts = [f"{name} {count / by:.2f}" for name, count in sorted(verbs.items(), key=lambda each: each[0].lower())]
    return ", ".join(parts)


async def control(url: str, what: str, body: Mapping[str, object] | None = None) -> dict[str, object]:
    async with httpx2.AsyncClient(timeout=600, trust_env=False) as client:
        sent = client.post(f"{url}/_emulator/{what}", json=body) if body else client.get(f"{url}/_emulator/{what}")
        found: dict[str, object] = (await sent).json()
        return found


def order(number: int, **values: object) -> Order:
    return Order(brief=f"Python timeouts, part {number}", user="u", session=f"s{number}", agent=AGENT, **values)  # type: ignore[arg-type]


async def until(database: str, state: State, count: int) -> None:
    """Waits until `count` jobs are in a state. Its own statements are not counted."""
    connection = await asyncpg.connect(database.replace("+asyncpg", ""))
    while await connection.fetchval("SELECT count(*) FROM research_jobs WHERE state = $1", state) < count:
        await asyncio.sleep(0.1)
    await connection.close()


async def followers(url: str, database: str, jobs: int) -> None:
    """Measures research runs from their order to their report, all followed at once."""
    transport = Transport(gemini_endpoint(url, "k"))
    client, statements = Counting(lambda: transport), Statements()
    here, there = Research(Ledger(database), client), Research(Ledger(database), InteractionsClient(lambda: transport))
    await here.start(order(-1))  # imports, migrations, the first connections
    await here.ledger.count_by_state()
    await until(database, State.RUNNING, 1)
    statements.take()
    before, cpu, events = resident(), time.process_time(), client.events
    started = [(await here.start(order(number)))[0] for number in range(jobs)]
    await until(database, State.RUNNING, jobs + 1)
    row("a start: CPU, ms", (time.process_time() - cpu) / jobs * 1000)
    row("a start: statements", shown(statements.take(), jobs))
    row("a followed research: memory, KB", (resident() - before) / jobs / 1000)

    cpu = time.process_time()
    await asyncio.sleep(SECONDS)
    found = statements.take()
    row("a followed research: CPU, ms a second", (time.process_time() - cpu) / SECONDS / jobs * 1000)
    row("a followed research: statements a second", shown(found, jobs * SECONDS))
    row("all of them, as often as leases are renewed", shown(found, SECONDS / (ResearchTimeouts().lease_s / 3)))

    for job in started:  # a client asks another replica for the status, and leaves
        async with aclosing(there.watch(job.id, 0)) as lines:
            async for _ in lines:
                pass
    statements.take()
    await asyncio.sleep(SECONDS)
    more = statements.take() - found
    row("asked for at another replica: more statements a second", shown(more, jobs * SECONDS))
    await there.close()

    statements.take()
    cpu, events = time.process_time(), client.events
    await control(url, "clock", {"advance": 10_000})
    await until(database, State.COMPLETED, jobs + 1)
    spent = time.process_time() - cpu
    found, seen = statements.take(), client.events - events
    row("a research: events", seen / (jobs + 1))
    row("an event: CPU, ms, with its line in the ledger and the report at the end", spent / seen * 1000)
    row("a research to its end: statements", shown(found, jobs + 1))
    row("a research: bytes of its report", float(len(await here.ledger.report(started[0].id) or "")))
    log = await control(url, "log")
    requests = Counter(str(each["method"]) for each in log["requests"])  # type: ignore[attr-defined]
    row("a research: requests to the API", shown(requests, jobs + 1))
    await here.close()


async def watchers(database: str, replicas: int = 10, watched: int = 100) -> None:
    """Measures replicas whose users watch runs that another replica follows. All are in this process."""
    follower, statements = Ledger(database), Statements()
    now, leases = time.time(), Leases(follower, time.time, ResearchTimeouts().lease_s)
    async with AsyncExitStack() as stack:
        jobs = []
        for number in range(watched):
            job, _ = await follower.add(new_job(order(number), now, State.RUNNING))
            await stack.enter_async_context(leases.hold(job.id))
            jobs.append(await follower.change(job.id, {State.RUNNING}, now, interaction_id=f"v1_{number}") or job)
        services = [Research(Ledger(database), InteractionsClient(lambda: None)) for _ in range(replicas)]  # type: ignore[arg-type,return-value]
        seen: list[float] = []
        begun = 0

        def say(line: str) -> None:
            nonlocal begun
            begun += line == FOLLOWED_ELSEWHERE
            if line.startswith("at "):
                seen.append(time.monotonic() - float(line.removeprefix("at ")))

        tasks = [asyncio.create_task(each._worker.work(job, say)) for each in services for job in jobs]
        while begun < len(tasks):
            await asyncio.sleep(1)
        await asyncio.sleep(SECONDS)
        statements.take()
        cpu = time.process_time()
        await asyncio.sleep(2 * SECONDS)
        found = statements.take()
        row(f"{replicas} replicas with {watched} watched runs each: statements a second", shown(found, 2 * SECONDS))
        row("… CPU, ms a second", (time.process_time() - cpu) / SECONDS / 2 * 1000)
        for job in jobs:
            await follower.append_progress(job, leases.owner, now, f"at {time.monotonic()}", "e1", 1)
            await asyncio.sleep(SECONDS / watched)
        await asyncio.sleep(2)
        more = statements.take() - found
        row("… statements of a change and of all that watch it", shown(more, watched))
        row("… lines that they saw", float(len(seen)))
        row("… a line to its watchers, median ms", statistics.median(seen) * 1000)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for service in services:
            await service.close()
    await follower.close()


async def looks(database: str) -> None:
    """Measures how long the recovery loop and others read the ledger, depending on its size."""
    ledger = Ledger(database)
    service = Research(ledger, InteractionsClient(lambda: None))  # type: ignore[arg-type,return-value]
    await service.resume()
    row("a look of the keeper, ms, nothing there", await timed(service))
    now = time.time()

    async def add(number: int, state: State, **values: object) -> Job:
        job = new_job(order(number), now, state)
        return (await ledger.add(Job(**{**vars(job), **values})))[0]

    for number in range(10_000, 20_000):
        job = await add(number, State.RUNNING, interaction_id=f"v1_{number}")
        await ledger.take_lease(job.id, "another", now, LONG_AGO)
    row("… with 10,000 researches that others follow", await timed(service))
    plan = Plan("A step of the plan, and what it asks. " * 50, "v1_plan")
    for number in range(20_000, 21_000):
        await add(number, State.AWAITING_APPROVAL, interaction_id=f"v1_{number}", plan=plan)
    row("… and with 1,000 plans that wait for a yes", await timed(service))
    began = time.perf_counter()
    await ledger.count_by_state()
    row("a count of all states, ms", (time.perf_counter() - began) * 1000)
    for number in range(30_000, 30_200):
        job = await add(number, State.COMPLETED)
        await ledger.add_answer(job.id, FollowUpAnswer("What of it?", "So it is. " * 100, "v1_a"))
    large = new_job(order(1, inputs=({"type": "document", "data": "x" * 10_000_000},)), now, State.INTENDED)
    await ledger.add(large)
    began = time.perf_counter()
    await ledger.get(large.id)
    row("reading one job, ms, with a document of 10 MB", (time.perf_counter() - began) * 1000)
    began, small = time.perf_counter(), job
    await ledger.get(small.id)
    row("reading one job, ms, without", (time.perf_counter() - began) * 1000)
    began = time.perf_counter()
    row("the list of a user's jobs, which each turn reads: jobs", float(len(await ledger.find(user="u", limit=1000))))
    row("… ms", (time.perf_counter() - began) * 1000)
    await ledger.close()


async def timed(service: Research) -> float:
    """Milliseconds of one pass of the recovery loop."""
    began = time.perf_counter()
    await service.resume()
    return (time.perf_counter() - began) * 1000


def turns(postgres: Server) -> None:
    """Measures turns of `desk serve` whose conversations and ledger are in PostgreSQL."""
    from tests.bench.speed.compared_servers import serving

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = postgres.create_database()
        env = {**os.environ, "DESK_DATABASE_URL": database, "PYTHONWARNINGS": "ignore"}
        desk = stack.enter_context(serving("desk", env, database, folder, "--no-follow"))
        connection = stack.enter_context(desk.connection())

        def say(session: str, text: str) -> None:
            desk.send(connection, "u", session, stream=False, text=text)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()

        postgres.log_statements()
        for name, text in (("small talk", "Thanks!"), ("a transfer", "How is the weather in Oslo?")):
            session = desk.conversation("u")
            say(session, text)  # imports, tables, the first connections
            cpu, before = desk.cpu(), postgres.statements()
            for _ in range(TURNS):
                say(session, text)
            row(f"a turn, {name}: CPU, ms", (desk.cpu() - cpu) / TURNS * 1000)
            row(f"a turn, {name}: statements", shown(postgres.statements() - before, TURNS))


def server() -> None:
    """Measures the memory of `desk serve` before the first request."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    command = [sys.executable, "-m", "tools", "serve", "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as child, httpx2.Client(trust_env=False) as client:
        try:
            while True:
                with suppress(httpx2.HTTPError):
                    if client.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                        break
                time.sleep(0.2)
            row("a replica of `desk serve` that is asked nothing: memory, MB", resident(child.pid) / 1e6)
        finally:
            child.kill()


def measure(jobs: int = JOBS) -> None:
    """Prints all measurements of this machine."""
    with postgresql() as postgres, emulator() as url, tempfile.TemporaryDirectory() as folder:
        os.environ |= {"GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": EMULATOR_KEY, "DESK_DATA_DIR": folder}
        print("| what | measured |\n|---|---|")
        asyncio.run(followers(url, postgres.create_database(), jobs))
        asyncio.run(watchers(postgres.create_database()))
        asyncio.run(looks(postgres.create_database()))
        turns(postgres)
        os.environ["DESK_DATABASE_URL"] = postgres.create_database()
        server()
