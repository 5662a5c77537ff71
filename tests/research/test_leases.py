"""Leases: one statement renews all leases of a process, lost leases are signalled, and short outages lose none."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from tests.conftest import Desk, Later
from tests.research.test_promises import LINES, begin, lines
from tools.research.job import new_job
from tools.research.job_states import State
from tools.research.leases import Leases
from tools.research.ledger import Ledger
from tools.research.order import Order

SECONDS = 30.0


class Watched(Ledger):
    """A ledger that reports each renewal of leases, and whose database can be made unavailable."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.away = False
        self.renewed: asyncio.Queue[Collection[str]] = asyncio.Queue()

    async def renew_leases(self, owner: str, now: float, seconds: float) -> set[str]:
        kept = set() if self.away else await super().renew_leases(owner, now, seconds)
        self.renewed.put_nowait(kept)
        if self.away:
            raise OperationalError("UPDATE", {}, Exception("away"))
        return kept


@pytest.fixture
def ledger(tmp_path: Path) -> Watched:
    return Watched(f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}")


async def renewal(ledger: Watched, later: Later) -> Collection[str]:
    """The jobs whose leases the next renewal extends."""
    await asyncio.sleep(0)  # the renewing task begins to wait
    later(SECONDS / 3)
    return await asyncio.wait_for(ledger.renewed.get(), 60)


async def jobs(ledger: Ledger, count: int) -> list[str]:
    made = [new_job(Order(f"brief {n}", "ada", "s1", "deep-research"), 0, State.RUNNING) for n in range(count)]
    return [(await ledger.add(job))[0].id for job in made]


async def test_held_leases_are_renewed_together_and_released_leases_are_not(ledger: Watched, later: Later) -> None:
    leases, [other, *ids] = Leases(ledger, lambda: 0.0, SECONDS), await jobs(ledger, 6)
    async with AsyncExitStack() as stack:
        lost = [await stack.enter_async_context(leases.hold(id_)) for id_ in ids]
        assert {*await renewal(ledger, later)} == {*ids}
        assert [each and each.is_set() for each in lost] == [False] * 5
        async with leases.hold(other):
            assert {*await renewal(ledger, later)} == {other, *ids}
        assert {*await renewal(ledger, later)} == {*ids}
    assert leases._renewing is None
    async with leases.hold(ids[0]):
        assert [*await renewal(ledger, later)] == [ids[0]]


async def test_only_the_lease_that_another_process_took_is_lost(ledger: Watched, later: Later) -> None:
    leases, (kept, taken) = Leases(ledger, lambda: 0.0, SECONDS), await jobs(ledger, 2)
    async with leases.hold(kept) as mine, leases.hold(taken) as theirs:
        assert mine and theirs
        assert await ledger.take_lease(taken, "another", 1_000, 10)
        await renewal(ledger, later)
        await theirs.wait()
        assert not mine.is_set()
        async with leases.hold(taken) as again:
            assert again is None


async def test_a_database_outage_loses_a_lease_only_after_the_lease_has_expired(ledger: Watched, later: Later) -> None:
    leases, [id_] = Leases(ledger, lambda: 0.0, SECONDS), await jobs(ledger, 1)
    async with leases.hold(id_) as lost:
        assert lost
        ledger.away = True
        for _ in range(2):
            await renewal(ledger, later)
            assert not lost.is_set()
        await renewal(ledger, later)
        await lost.wait()


async def test_a_process_that_takes_a_job_over_shows_the_saved_lines_before_its_own(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = desk.service(), desk.service()
    job, _ = await begin(desk, first)
    taken_over, take_lease = asyncio.Event(), second.ledger.take_lease

    async def take_lease_from_first(*lease: Any) -> bool:
        await desk.pass_time(600)
        while len(await first.ledger.lines(await first.job(job.id))) < 3:
            await asyncio.sleep(0.001)
        await first.close()
        taken_over.set()
        monkeypatch.setattr(second.ledger, "take_lease", take_lease)
        return await take_lease(*lease)

    monkeypatch.setattr(second.ledger, "take_lease", take_lease_from_first)
    watching = asyncio.create_task(lines(second, job))
    await taken_over.wait()
    await desk.pass_time(600)
    assert [line for line in await watching if line in LINES] == LINES[2:]
