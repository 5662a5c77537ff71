"""Schedules on an empty ledger, on SQLite and on PostgreSQL, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.ledger.conftest import Open, open_ledger, url
from tests.schedules.test_timing import at
from tools.research.job import Job
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.research.quotas import Quotas
from tools.research.schedules.schedule import Schedule
from tools.research.schedules.service import Schedules
from tools.research.schedules.timing import Timing

__all__ = ["Open", "open_ledger", "url"]
AGENT = "deep-research-preview-04-2026"
"""A run of it may cost $3."""
MONDAYS = Timing("0 8 * * 1", "Europe/Berlin")
NOW = at("2026-11-30T12:00")
"""A Monday, after the time at which `MONDAYS` is due."""
DECEMBER = [at(f"2026-12-{day:02}T08:00+01:00") for day in (7, 14, 21, 28)]
LIMITS = Quotas(at_once=3, per_day=20, usd_per_day=60)
HOUR, DAY = 3600.0, 86_400.0


class Replica:
    """The schedules of a process with a clock of its own. It orders runs, and sends nothing."""

    def __init__(self, ledger: Ledger, now: float = NOW) -> None:
        self.ledger, self.now, self.followed = ledger, now, list[str]()
        client: Any = None
        self.schedules = Schedules(ledger, client, lambda: self.now, lambda: "emulator", lambda: True, self._follow)

    async def _follow(self, job_id: str) -> None:
        self.followed.append(job_id)

    async def add(self, brief: str = "Tides?", timing: Timing = MONDAYS, max_usd: float = 12, **of: Any) -> Schedule:
        order = Order(brief, of.pop("user", "ada"), "s1", AGENT, notify=("hook",))
        made, new = await self.schedules.add(order, timing, max_usd, LIMITS, **of)
        assert new
        return made

    async def start_due(self, now: float, limits: Quotas = LIMITS) -> list[str]:
        self.now = now
        return await self.schedules.start_due(limits)

    async def jobs(self) -> list[Job]:
        """All jobs, oldest first."""
        return (await self.ledger.find(limit=1000))[::-1]

    async def dues(self) -> list[float | None]:
        """The due times that have a run, in order."""
        return [job.order.due for job in await self.jobs()]

    async def finish(self, *job_ids: str) -> None:
        """Sends and ends jobs, as a worker does."""
        for job_id in job_ids:
            job = await self.ledger.get(job_id)
            assert job
            assert await self.ledger.mark_starting(job, self.now)
            await self.ledger.change(job_id, {State.STARTING}, self.now, state=State.COMPLETED, finished=self.now)


async def at_once(replicas: Sequence[Replica], now: float) -> list[str]:
    """Lets all replicas start what is due at the same time; returns the ids of the jobs."""
    started = await asyncio.gather(*(replica.start_due(now) for replica in replicas))
    return [job_id for each in started for job_id in each]
