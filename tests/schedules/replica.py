"""A replica in a process of its own, with a virtual clock: it starts what is due, and may be killed at any write."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from interactions_emulator import Emulator
from tests.faults.ledger_write_kills import FORKS, KillSwitch, MortalLedger, work_and_report
from tools.interactions.endpoint import gemini_endpoint
from tools.interactions.transport import Transport
from tools.research.api_client import InteractionsClient
from tools.research.job import Job
from tools.research.notices.delivery import deliver_due
from tools.research.notices.targets import Target
from tools.research.quotas import Quotas
from tools.research.schedules.due_runs import DueOutcome
from tools.research.schedules.schedule import Schedule
from tools.research.schedules.store import ScheduleStore
from tools.research.service import Research
from tools.research.timeouts import ResearchTimeouts

MODEL = "gemini-3.8-flash"
LIMITS = Quotas(at_once=10, per_day=50, usd_per_day=500)
TIMEOUTS = ResearchTimeouts(create_timeout_s=10, silence_timeout_s=5, lease_s=0.5)
"""In real seconds."""


async def nap(seconds: float) -> None:
    """Stands for sleep."""
    await asyncio.sleep(min(seconds, 0.05))


@dataclass(frozen=True)
class Step:
    """What a replica does next: at a moment, in seconds since the epoch, and until it is killed at a write."""

    now: float
    side: str = "after"
    write: int = 0
    """Number of the write at which it is killed; 0: it is not killed."""


class MortalStore(ScheduleStore):
    """The schedules of a ledger whose process may be killed when it orders a run or saves words."""

    def __init__(self, database: Any, ledger: MortalLedger) -> None:
        super().__init__(database)
        self._ledger = ledger

    async def order_due(self, schedule: Schedule, job: Job, next_due: float, limits: Quotas) -> DueOutcome | None:
        return await self._ledger._write(super().order_due, schedule, job, next_due, limits)

    async def save_description(self, *arguments: Any) -> bool:
        return await self._ledger._write(super().save_description, *arguments)

    async def pay_for_description(self, *arguments: Any) -> bool:
        return await self._ledger._write(super().pay_for_description, *arguments)


class ReplicaProcess:
    """Starts the process when it is needed, again after each kill."""

    def __init__(self, port: int, ledger: str, target: Target) -> None:
        self._arguments = (port, ledger, target)
        self._process: Any = None
        self.kills = 0

    async def play(self, step: Step) -> None:
        """Plays a step, to its end or to the death of the process."""
        if self._process is None:
            self._pipe, theirs = FORKS.Pipe()
            self._process = FORKS.Process(target=main, args=(theirs, *self._arguments))
            await asyncio.to_thread(self._process.start)
            theirs.close()
        self._pipe.send(step)
        try:
            said = await asyncio.to_thread(self._pipe.recv)
        except (EOFError, ConnectionResetError):
            await asyncio.to_thread(self._process.join)
            self._process = None
            self.kills += 1
            return
        if said != "done":
            raise RuntimeError(f"the replica failed: {said.reason}")

    def stop(self) -> None:
        """Ends the process."""
        if self._process:
            self._process.kill()
            self._process.join()


def main(pipe: Connection, port: int, url: str, target: Target) -> None:
    """The main function of the process: plays the steps that it gets."""

    async def play() -> None:
        loop, step, began = asyncio.get_running_loop(), Step(0), 0.0
        transport = Transport(gemini_endpoint(Emulator(port=port).url, "k"))
        client = InteractionsClient(lambda: transport)

        def clock() -> float:
            return step.now + loop.time() - began  # leases of replicas that were killed end

        while True:
            step, began = await loop.run_in_executor(None, pipe.recv), loop.time()
            ledger = MortalLedger(url, KillSwitch(step.side, step.write))
            ledger.schedules = MortalStore(ledger._database, ledger)
            service = Research(
                ledger, client, timeouts=TIMEOUTS, clock=clock, sleep=nap, describer=lambda: (MODEL, LIMITS)
            )
            jobs = [job.id for job in await service.resume()]
            jobs += await service.schedules.start_due(LIMITS)
            for job_id in jobs:
                async for _ in service.watch(job_id):
                    pass
            await deliver_due(ledger, lambda: {"hook": target}, clock)
            await service.close()
            pipe.send("done")

    work_and_report(pipe, play)
