"""Kills a process that does research at one of its writes to the ledger, or at any time; another process asks again."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import traceback
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from interactions_emulator import Emulator
from tests.faults.cells import AT_600_SECONDS, ONE_OF_EACH_KIND, STATUSES, Cell, Stream
from tests.faults.run import Outcome, Place, TurnResult, ask_until_report, judge, new_brief, prepare
from tools.research.job import Job
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.open_questions import Question, Yes
from tools.research.quotas import Check

T = TypeVar("T")
ProcessMain = Callable[[Connection, int, str, str, str, int], None]
"""The main function of a process. Arguments: where to send results, port of the server, ledger, brief, and the side and
number of the write at which the process is killed.
"""

WRITES = 12
"""The number of writes of a research run to the ledger, and one more."""
NEVER = ("after", 0)
READY, DONE = "ready", "done"
UNDISTURBED = Cell()
FORKS = multiprocessing.get_context("forkserver")  # a process that has imported everything, and only forks
FORKS.set_forkserver_preload(["tests.faults.ledger_write_kills"])


def die() -> None:
    """Ends this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


class KillSwitch:
    """Kills this process before or after one of its writes."""

    def __init__(self, side: str, number: int, die: Callable[[], None] = die) -> None:
        self._moment, self._die = (side, number), die
        self._writes = 0

    @contextmanager
    def around_a_write(self) -> Iterator[None]:
        """Wraps each write."""
        self._writes += 1
        number = self._writes
        self._kill_at("before", number)
        yield
        self._kill_at("after", number)

    def _kill_at(self, side: str, number: int) -> None:
        if self._moment == (side, number):
            self._die()


class MortalLedger(Ledger):
    """A ledger whose process is killed at one of its writes."""

    def __init__(self, url: str, kill_switch: KillSwitch) -> None:
        super().__init__(url)
        self._kill_switch, self._leased = kill_switch, False

    async def add(self, job: Job, check: Check | None = None) -> tuple[Job, bool]:
        return await self._write(super().add, job, check)

    async def change(self, job_id: str, expected: Collection[State], now: float, **values: Any) -> Job | None:
        return await self._write(super().change, job_id, expected, now, **values)

    async def mark_starting(self, job: Job, now: float) -> Job | None:
        return await self._write(super().mark_starting, job, now)

    async def approve(
        self, job: Job, now: float, check: Check | None, yes: Yes | None = None, **values: Any
    ) -> Job | None:
        return await self._write(super().approve, job, now, check, yes, **values)

    async def save_question(self, question: Question) -> None:
        return await self._write(super().save_question, question)

    async def use_yes(self, yes: Yes) -> None:
        return await self._write(super().use_yes, yes)

    async def take_lease(self, job_id: str, owner: str, now: float, seconds: float) -> bool:
        if self._leased:  # renewals depend on real time, so they are not counted
            return await super().take_lease(job_id, owner, now, seconds)
        self._leased = await self._write(super().take_lease, job_id, owner, now, seconds)
        return self._leased

    async def release_lease(self, job_id: str, owner: str) -> None:
        return await self._write(super().release_lease, job_id, owner)

    async def _write(self, write: Callable[..., Awaitable[T]], *args: Any, **values: Any) -> T:
        with self._kill_switch.around_a_write():
            return await write(*args, **values)


@dataclass(frozen=True)
class Kill:
    """One research whose process is killed at a write, or so many milliseconds after its start if `side` is "time"."""

    side: str
    number: int
    cell: Cell = UNDISTURBED

    @property
    def group(self) -> str:
        """The row of the table."""
        return "kill: at any time" if self.side == "time" else "kill: at a write"

    @property
    def expected(self) -> frozenset[State]:
        return self.cell.expected | {State.START_UNKNOWN}


@dataclass(frozen=True)
class ProcessFailed:
    """The process failed without being killed."""

    reason: str


@dataclass(frozen=True)
class ProcessOutput:
    """What a process sent before it ended."""

    killed: bool
    lines: tuple[str, ...]
    told: tuple[TurnResult, ...]


def kills() -> list[Kill]:
    """Kills before and after each write and at any time; some kills after a write also with a cut stream."""
    cut = Cell(stream=Stream("cut", AT_600_SECONDS))
    return [
        *(Kill(side, number) for number in range(1, WRITES + 1) for side in ("before", "after")),
        *(Kill("after", number, cut) for number in range(2, WRITES, 3)),
        *(Kill("time", milliseconds) for milliseconds in range(0, 120, 12)),
    ]


def every_kill() -> list[Kill]:
    """Each kill with one stream of each kind and with each ending."""
    disturbed = [Cell(stream=stream) for stream in ONE_OF_EACH_KIND]
    ended = [Cell(status=status) for status in STATUSES if status != "completed"]
    undisturbed = [kill for kill in kills() if kill.cell == UNDISTURBED]
    return [replace(kill, cell=cell) for cell in [*disturbed, *ended] for kill in undisturbed]


async def play_kill(place: Place, kill: Kill) -> Outcome:
    """Plays a run whose process is killed; then another process asks the same again."""
    return await play_kill_of(process_main, place, kill)


async def play_kill_of(main: ProcessMain, place: Place, kill: Kill) -> Outcome:
    """`play_kill` for any main function of the process."""
    brief = new_brief(kill.cell.status)
    await prepare(place, kill.cell)
    output = await run_process(main, place, brief, kill)
    lines = output.lines
    if output.killed:
        output = await run_process(main, place, brief, Kill(*NEVER))
        lines += output.lines
    return judge(output.told, lines, await place.researches(brief))


async def run_process(main: ProcessMain, place: Place, brief: str, kill: Kill) -> ProcessOutput:
    """Starts a process that asks, kills it if `kill` says so, and returns what it sent.

    Raises:
        RuntimeError: the process failed without being killed.
    """
    timed = kill.side == "time"
    receiver, sender = FORKS.Pipe(duplex=False)
    moment = NEVER if timed else (kill.side, kill.number)
    child = FORKS.Process(target=main, args=(sender, place.api.port, place.ledger, brief, *moment))
    await asyncio.to_thread(child.start)
    sender.close()
    await asyncio.to_thread(receiver.poll, None)  # it is ready
    if timed:
        while child.is_alive() and not await place.researches(brief):
            await asyncio.to_thread(child.join, 0.005)
        await asyncio.to_thread(child.join, kill.number / 1000)
        child.kill()
    received = await asyncio.to_thread(lambda: [*receive_all(receiver)])
    await asyncio.to_thread(child.join)
    for said in received:
        if isinstance(said, ProcessFailed):
            raise RuntimeError(f"the victim of {kill} broke: {said.reason}")
    return ProcessOutput(
        killed=DONE not in received,
        lines=tuple(said for said in received if isinstance(said, str) and said not in (READY, DONE)),
        told=tuple(said for said in received if isinstance(said, TurnResult)),
    )


def receive_all(receiver: Connection) -> Iterator[object]:
    """What a process sends until it ends."""
    with receiver, suppress(EOFError, OSError):  # OSError: killed while it was sending
        while True:
            yield receiver.recv()


def process_main(sender: Connection, port: int, ledger: str, brief: str, side: str, number: int) -> None:
    """The main function of the process: asks, and sends lines of progress and the result of each turn."""

    async def ask() -> None:
        place = Place(Emulator(port=port), ledger)
        service = place.service(MortalLedger(ledger, KillSwitch(side, number)))
        sender.send(READY)
        for told in await ask_until_report(place, service, brief, sender.send):
            sender.send(told)
        await service.close()

    work_and_report(sender, ask)


def work_and_report(sender: Connection, ask: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Does the work, and sends whether it is done: multiprocessing loses some exit codes (3.11)."""
    logging.disable(logging.CRITICAL)  # the faults are intended
    try:
        asyncio.run(ask())
        sender.send(DONE)
    except Exception:
        sender.send(ProcessFailed(traceback.format_exc()))
