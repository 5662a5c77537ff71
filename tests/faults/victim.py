"""Kills: a process that researches and is really killed, and another one that asks again."""

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
from tests.faults.run import Outcome, Place, Told, ask_until_told, judge, new_brief, prepare
from tools.research.job import Job, State
from tools.research.ledger import Ledger
from tools.research.questions import Question, Yes
from tools.research.quotas import Check

T = TypeVar("T")
Life = Callable[[Connection, int, str, str, str, int], None]
"""What a process does: port of the server, ledger, brief, and the side and number of the write that kills it."""

WRITES = 12
"""As many as a research writes to the ledger, and one more."""
NEVER = ("after", 0)
READY, DONE = "ready", "done"
UNDISTURBED = Cell()
FORKS = multiprocessing.get_context("forkserver")  # a process that has imported everything, and only forks
FORKS.set_forkserver_preload(["tests.faults.victim"])


def die() -> None:
    """Ends this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


class Fate:
    """The end of this process at one of its writes."""

    def __init__(self, side: str, number: int, die: Callable[[], None] = die) -> None:
        self._moment, self._die = (side, number), die
        self._writes = 0

    @contextmanager
    def at_a_write(self) -> Iterator[None]:
        """Stands around each write."""
        self._writes += 1
        number = self._writes
        self._strike("before", number)
        yield
        self._strike("after", number)

    def _strike(self, side: str, number: int) -> None:
        if self._moment == (side, number):
            self._die()


class MortalLedger(Ledger):
    """A ledger whose process is killed at one of its writes."""

    def __init__(self, url: str, fate: Fate) -> None:
        super().__init__(url)
        self._fate, self._leased = fate, False

    async def add(self, job: Job, check: Check | None = None) -> tuple[Job, bool]:
        return await self._write(super().add, job, check)

    async def change(self, job_id: str, expected: Collection[State], now: float, **values: Any) -> Job | None:
        return await self._write(super().change, job_id, expected, now, **values)

    async def begin(self, job: Job, now: float) -> Job | None:
        return await self._write(super().begin, job, now)

    async def agree(
        self, job: Job, now: float, check: Check | None, yes: Yes | None = None, **values: Any
    ) -> Job | None:
        return await self._write(super().agree, job, now, check, yes, **values)

    async def ask(self, question: Question) -> None:
        return await self._write(super().ask, question)

    async def use(self, yes: Yes) -> None:
        return await self._write(super().use, yes)

    async def lease(self, job_id: str, owner: str, now: float, seconds: float) -> bool:
        if self._leased:  # how often a lease is renewed is a matter of real time
            return await super().lease(job_id, owner, now, seconds)
        self._leased = await self._write(super().lease, job_id, owner, now, seconds)
        return self._leased

    async def release_lease(self, job_id: str, owner: str) -> None:
        return await self._write(super().release_lease, job_id, owner)

    async def _write(self, write: Callable[..., Awaitable[T]], *args: Any, **values: Any) -> T:
        with self._fate.at_a_write():
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
class Broken:
    """A process failed otherwise than by being killed."""

    reason: str


@dataclass(frozen=True)
class Testimony:
    """What a process told before it ended."""

    killed: bool
    lines: tuple[str, ...]
    told: tuple[Told, ...]


def kills() -> list[Kill]:
    """Before and after each write of a research, and at any time; of the writes some over the cut stream too."""
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
    """A research that is killed; then a process of its own asks the same again."""
    return await play_kill_of(live, place, kill)


async def play_kill_of(life: Life, place: Place, kill: Kill) -> Outcome:
    """The same for any kind of life."""
    brief = new_brief(kill.cell.status)
    await prepare(place, kill.cell)
    witness = await bear_witness(life, place, brief, kill)
    lines = witness.lines
    if witness.killed:
        witness = await bear_witness(life, place, brief, Kill(*NEVER))
        lines += witness.lines
    return judge(witness.told, lines, await place.researches(brief))


async def bear_witness(life: Life, place: Place, brief: str, kill: Kill) -> Testimony:
    """Starts a process that asks, and lets it die if it shall.

    Raises:
        RuntimeError: it ended otherwise than by its work or its killing.
    """
    timed = kill.side == "time"
    ears, mouth = FORKS.Pipe(duplex=False)
    moment = NEVER if timed else (kill.side, kill.number)
    child = FORKS.Process(target=life, args=(mouth, place.api.port, place.ledger, brief, *moment))
    await asyncio.to_thread(child.start)
    mouth.close()
    await asyncio.to_thread(ears.poll, None)  # it is ready
    if timed:
        while child.is_alive() and not await place.researches(brief):
            await asyncio.to_thread(child.join, 0.005)
        await asyncio.to_thread(child.join, kill.number / 1000)
        child.kill()
    heard = await asyncio.to_thread(lambda: [*hear(ears)])
    await asyncio.to_thread(child.join)
    for said in heard:
        if isinstance(said, Broken):
            raise RuntimeError(f"the victim of {kill} broke: {said.reason}")
    return Testimony(
        killed=DONE not in heard,
        lines=tuple(said for said in heard if isinstance(said, str) and said not in (READY, DONE)),
        told=tuple(said for said in heard if isinstance(said, Told)),
    )


def hear(ears: Connection) -> Iterator[object]:
    """What a process says until it ends."""
    with ears, suppress(EOFError, OSError):  # the second: killed in the middle of a word
        while True:
            yield ears.recv()


def live(mouth: Connection, port: int, ledger: str, brief: str, side: str, number: int) -> None:
    """The process: asks, and says what it is told."""

    async def ask() -> None:
        place = Place(Emulator(port=port), ledger)
        service = place.service(MortalLedger(ledger, Fate(side, number)))
        mouth.send(READY)
        for told in await ask_until_told(place, service, brief, mouth.send):
            mouth.send(told)
        await service.close()

    speak(mouth, ask)


def speak(mouth: Connection, ask: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Lives until the work is done, and says so. An exit code would not do: multiprocessing loses some (3.11)."""
    logging.disable(logging.CRITICAL)  # what goes wrong is meant
    try:
        asyncio.run(ask())
        mouth.send(DONE)
    except Exception:
        mouth.send(Broken(traceback.format_exc()))
