"""Plays cells of the matrix: a person asks, and repeats the order up to two times while there is no report."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import re
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from interactions_emulator import Emulator
from tests.faults.cells import CREATES, LINES, REFUSED, REPORT, WAITS, WITH_REPORT, Cell, Fault, brain
from tests.faults.webhook_replica import WebhookReplica
from tools.interactions.endpoint import gemini_endpoint
from tools.interactions.transport import Transport
from tools.research import job_texts
from tools.research.api_client import InteractionsClient
from tools.research.job import Job
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.research.report.report import Report
from tools.research.service import Research
from tools.research.timeouts import ResearchTimeouts

T = TypeVar("T")
C = TypeVar("C")

MISTAKES = (TypeError, AttributeError, NameError, AssertionError)
"""Errors that no fault of a server explains. They end the program instead of the turn."""
ASKED = 3
"""How often a person asks."""
AGENT = "deep-research-preview-04-2026"
TIMEOUTS = ResearchTimeouts(
    create_timeout_s=10, silence_timeout_s=0.3, lease_s=0.5, first_poll_s=400, max_poll_s=800, stall_after_s=1300
)
"""The first three are real seconds, because sockets and processes need real time; the rest are virtual."""
TICK, STEP = 0.01, 300.0
"""In each TICK of real seconds, STEP virtual seconds pass."""
PATIENCE = 30.0
"""Real seconds after the end of a research until a turn counts as hanging."""
PLACES = 4
"""Cells that one process plays at once, so that it has work while some of them wait."""


FAILURES = ("lost", "doubled", "repeated_or_missing", "silent", "unwanted", "unnoticed")
"""Failures that no cell may have, see `Outcome`."""


@dataclass(frozen=True)
class Outcome:
    """The result of a cell."""

    state: str
    """The state of the last turn's result."""
    creates: int
    """Paid starts that the server accepted."""
    lost: bool
    """The server has a report, and the person neither has it nor was told that it may exist."""
    doubled: bool
    """It was started again although the research before had neither failed nor been cancelled."""
    repeated_or_missing: bool
    """A report was shown with repeated or missing bytes, or a line of progress twice or out of order."""
    silent: bool
    """A turn ended with neither a report nor a reason."""
    unwanted: bool = False
    """More was started than a person said yes to, or a yes that counts started nothing."""
    unnoticed: bool = False
    """A notice is lost, or was sent twice although no process was killed."""

    @property
    def bad(self) -> bool:
        return any(getattr(self, failure) for failure in FAILURES)


class Place:
    """A server with its own virtual time, a ledger, and the clients. Plays one cell after the other."""

    def __init__(self, api: Emulator, ledger: str) -> None:
        self.api, self.ledger = api, ledger
        self._bound = socket.socket()
        self._bound.bind(("127.0.0.1", 0))  # a port that is bound and on which nothing listens
        self.nowhere = f"http://127.0.0.1:{self._bound.getsockname()[1]}"
        self._transport, self._refused = (Transport(gemini_endpoint(url, "k")) for url in (api.url, self.nowhere))
        self.notify: tuple[str, ...] = ()
        """Targets of notices of the orders."""
        self.refusals = 0
        """Number of further requests whose connection is refused."""
        self._passed = 0.0
        self.webhook_url = ""
        """Address that the server tells of the end of each run; empty: it tells nobody."""

    async def pass_time(self, seconds: float) -> None:
        """Stands for sleep: virtual time passes instead of real time."""
        self._passed += seconds
        await asyncio.to_thread(self.api.advance, seconds)

    async def prepare(self, faults: Sequence[Fault], refusals: int = 0) -> None:
        """Sets the faults of a cell or run."""
        self.refusals = refusals
        await asyncio.to_thread(self.api.faults)
        if faults:
            await asyncio.to_thread(self.api.faults, *faults)

    def transport(self) -> Transport:
        """The transport for a request. While refusals are left, its address refuses connections."""
        if self.refusals:
            self.refusals -= 1
            return self._refused
        return self._transport

    def service(self, ledger: Ledger | None = None) -> Research:
        """A new service over the same ledger, as another process would have."""
        client = InteractionsClient(self.transport, webhook_url=lambda: self.webhook_url)
        return Research(ledger or Ledger(self.ledger), client, timeouts=TIMEOUTS, sleep=self.pass_time)

    def replica(self) -> Research:
        """A new service over the same ledger whose connections are never refused."""
        client = InteractionsClient(lambda: self._transport)
        return Research(Ledger(self.ledger), client, timeouts=TIMEOUTS, sleep=self.pass_time)

    async def while_time_passes(self, work: Awaitable[T], patience: float = PATIENCE) -> T:
        """Waits for work while more virtual time passes than a research takes.

        Raises:
            TimeoutError: the work did not end long after that.
        """
        task = asyncio.ensure_future(work)
        end = self._passed + 2.5 * sum(WAITS)
        while self._passed < end:
            done, _ = await asyncio.wait({task}, timeout=TICK)
            if done:
                break
            await self.pass_time(STEP)
        return await asyncio.wait_for(task, patience)

    async def while_time_passes_until(self, fulfilled: Callable[[], Awaitable[bool]]) -> None:
        """Lets virtual time pass in small steps until a condition is fulfilled.

        Raises:
            TimeoutError: it was not, for `PATIENCE` real seconds.
        """
        async with asyncio.timeout(PATIENCE):
            while not await fulfilled():
                await self.pass_time(1)
                await asyncio.sleep(TICK)

    async def researches(self, brief: str) -> list[str]:
        """The statuses of the runs of this brief at the server, oldest first."""
        return [i["status"] for i in await asyncio.to_thread(self.api.interactions) if i["input"] == brief]

    async def close(self) -> None:
        for transport in (self._transport, self._refused):
            await transport.aclose()
        self._bound.close()
        await asyncio.to_thread(self.api.close)


Player = Callable[[Place, C], Awaitable[Outcome]]
_numbers = itertools.count(1)


def new_brief(status: str) -> str:
    """A brief that was not used before, whose run ends with this status."""
    return f"Why are there tides? {os.getpid()}.{next(_numbers)} {status}"


async def prepare(place: Place, cell: Cell) -> None:
    """Sets the faults of a cell."""
    await place.prepare([*CREATES[cell.create].faults, *cell.stream.faults], int(cell.create == REFUSED))


async def play_desk(place: Place, cell: Cell) -> Outcome:
    """Plays a cell with this project's service."""
    brief = new_brief(cell.status)
    await prepare(place, cell)
    service = place.service()
    shown: list[str] = []
    try:
        if cell.webhook:
            async with WebhookReplica(place) as replica:
                told = [await ask(place, service, brief, shown.append)]
                await replica.until_delivered(brief)
                told += await ask_until_report(place, service, brief, shown.append)
        else:
            told = await ask_until_report(place, service, brief, shown.append)
    finally:
        await service.close()
    return judge(told, shown, await place.researches(brief))


@dataclass(frozen=True)
class TurnResult:
    """What a person has received after a turn."""

    state: str
    report: str | None
    """Its text without citations, as in the script."""
    reason: str


async def ask_until_report(
    place: Place, service: Research, brief: str, show: Callable[[str], object]
) -> list[TurnResult]:
    """Asks until there is a report, at most `ASKED` times. Returns each turn's result; `show` takes progress lines."""
    told: list[TurnResult] = []
    while len(told) < ASKED and not (told and told[-1].report):
        told.append(await ask(place, service, brief, show))
    return told


async def ask(place: Place, service: Research, brief: str, show: Callable[[str], object]) -> TurnResult:
    """One turn: an order, watched to its end."""

    async def turn() -> tuple[Job, Report | None]:
        order = Order(brief=brief, user="ada", session=brief, agent=AGENT, notify=place.notify)
        job, _ = await service.start(order)
        async for line in service.watch(job.id):
            show(line)
        return await service.job(job.id), await service.report(job.id)

    try:
        job, report = await place.while_time_passes(turn())
    except MISTAKES:
        raise
    except Exception as error:  # the agent shows it unchanged
        return TurnResult(f"raised {type(error).__name__}", None, str(error))
    return TurnResult(str(job.state), plain(report) if report else None, job.error or just_found(place, job))


def just_found(place: Place, job: Job) -> str:
    """What a person is told whose turn ended with an unknown start, and whose run a webhook has named just then."""
    return "it is still running" if place.webhook_url and job.state is State.RUNNING else ""


def plain(report: Report) -> str:
    """A report's text without what the desk adds to it: citations, and marks for pictures."""
    text = re.sub(r"\[\\\[\d+\\\]\]\([^)]*\)", "", report.text)
    return text.removesuffix("\n![figure-1](figure-1.png)")


def judge(told: Sequence[TurnResult], shown: Iterable[str], researches: Sequence[str]) -> Outcome:
    """Judges a cell by the questions of the matrix.

    Args:
        told: the result of each turn.
        shown: lines of progress of all turns together.
        researches: the statuses of all runs that the server started, oldest first.
    """
    last = told[-1]
    warned = last.state == State.START_UNKNOWN or job_texts.NEVER_SHOWN in last.reason
    progress = [line for line in shown if line in LINES]
    return Outcome(
        state=last.state,
        creates=len(researches),
        lost=not last.report and not warned and not WITH_REPORT.isdisjoint(researches),
        doubled=any(status not in ("failed", "cancelled") for status in researches[:-1]),
        repeated_or_missing=any(t.report not in (None, REPORT) for t in told)
        or progress != sorted(set(progress), key=LINES.index),
        silent=any(not t.report and not t.reason for t in told),
    )


async def play(cells: Sequence[C], player: Player[C]) -> list[Outcome]:
    """Plays cells side by side, each on a server of its own, and returns their outcomes in the same order."""
    free: asyncio.Queue[Place] = asyncio.Queue()

    async def one(cell: C) -> Outcome:
        place = await free.get()
        try:
            return await player(place, cell)
        finally:
            free.put_nowait(place)

    with tempfile.TemporaryDirectory() as folder:
        places = []
        try:
            for index in range(min(PLACES, len(cells))):
                api = Emulator(brain=brain, speed=0).__enter__()
                places.append(Place(api, f"sqlite+aiosqlite:///{Path(folder)}/{index}.db"))
                free.put_nowait(places[-1])
            return await asyncio.gather(*(one(cell) for cell in cells))
        finally:
            await asyncio.gather(*(place.close() for place in places))


def play_here(cells: Sequence[C], player: Player[C]) -> list[Outcome]:
    """`play` for callers without an event loop."""
    gc.freeze()
    return asyncio.run(play(cells, player))


def play_everywhere(cells: Sequence[C], player: Player[C], processors: Executor) -> list[Outcome]:
    """`play` on all processors, which get the cells in turn."""
    number = os.cpu_count() or 1
    outcomes: dict[int, Outcome] = {}
    hands = [cells[first::number] for first in range(number)]
    for first, played in enumerate(processors.map(play_here, hands, itertools.repeat(player))):
        outcomes |= zip(range(first, len(cells), number), played, strict=True)
    return [outcomes[index] for index in range(len(cells))]
