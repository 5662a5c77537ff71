"""Changes of jobs by other processes: each is seen, at once with notifications, by few reads for all watchers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import asyncpg  # type: ignore[import-untyped]
import pytest

from tests.conftest import Later
from tests.ledger.conftest import NOW, Open
from tests.ledger.server import Server
from tools.research import timeouts
from tools.research.database import Database
from tools.research.job import Job, JobVersion, new_job
from tools.research.job_changes import JobChanges
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.order import Order

LEASE_S = 10.0


async def never(seconds: float) -> None:
    """A poll that never comes, so that only a notification can tell."""
    await asyncio.Event().wait()


class Clock:
    """A clock that sleeping moves, unless it stands still."""

    def __init__(self) -> None:
        self.now = NOW
        self.goes = asyncio.Event()
        self.goes.set()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await self.goes.wait()
        self.now += seconds
        await asyncio.sleep(0)


class Counting(Ledger):
    """A ledger that counts reads of watched jobs."""

    reads = 0

    async def versions(self, job_ids: Collection[str]) -> dict[str, JobVersion]:
        self.reads += 1
        return await super().versions(job_ids)


async def running(ledger: Ledger, number: int = 1, lease_s: float = LEASE_S) -> Job:
    """A job that the process "a" follows."""
    job = new_job(Order(f"tides {number}", "ada", "s1", "deep-research"), NOW, State.INTENDED)
    await ledger.add(job)
    assert await ledger.take_lease(job.id, "a", NOW, lease_s)
    changed = await ledger.change(job.id, {State.INTENDED}, NOW, state=State.RUNNING, interaction_id=f"v1_{number}")
    assert changed
    return changed


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


def works(changes: JobChanges) -> bool:
    return bool(changes._listener and changes._listener.working)


@asynccontextmanager
async def watching(changes: JobChanges, job: Job) -> AsyncIterator[asyncio.Task[None]]:
    """Waits for a change of a job in the background, with notifications at work if the database has them."""
    task = asyncio.create_task(changes.wait(job))
    if changes._listener:
        await until(lambda: works(changes))
        await until(lambda: not changes._due)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def ledger(postgres: Server) -> AsyncIterator[Counting]:
    """A ledger on PostgreSQL."""
    found = Counting(postgres.create_database())
    yield found
    await found.close()


async def end_listening(ledger: Ledger, *, many: bool = False) -> None:
    """Ends the connection that listens, as a restart of the server or a network failure does."""
    name = str(ledger.url.database)
    connection = await asyncpg.connect(host=ledger.url.query["host"], user=ledger.url.username,
                                       password=ledger.url.password, database=name)  # fmt: skip
    ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND query LIKE 'LISTEN%'"
    assert await connection.fetch(ending, name)
    await connection.close()


async def test_each_change_at_another_replica_ends_the_wait(open_ledger: Open) -> None:
    here, there, clock = open_ledger(), open_ledger(), Clock()
    changes = JobChanges(there, clock, clock.sleep)
    job = await running(here)
    async with watching(changes, job) as waiting:
        assert await here.append_progress(job, "a", NOW + 1, "searching", "e1", 1)
        await waiting
    known = await there.get(job.id)
    assert known
    async with watching(changes, known) as waiting:
        await here.change(job.id, {State.RUNNING}, NOW + 2, state=State.COMPLETED)
        await waiting
    await changes.wait(job)  # a change before the wait ends it too
    known = await there.get(job.id)
    assert known
    async with watching(changes, known) as waiting:
        await here.delete(job.id)
        await waiting
    await changes.close()


async def test_a_wait_ends_when_its_time_is_over(open_ledger: Open) -> None:
    ledger = open_ledger()
    changes = JobChanges(ledger)
    await changes.wait(await running(ledger), 0.01)
    await changes.close()


@pytest.mark.parametrize("change", ["progress", "release", "delete"])
async def test_postgresql_announces_changes_without_a_poll(ledger: Counting, change: str) -> None:
    changes, other = JobChanges(ledger, lambda: NOW, never), Ledger(str(ledger.url.render_as_string(False)))
    job = await running(other)
    waiting = asyncio.create_task(changes.wait(job, until_free=True))
    await until(lambda: works(changes) and ledger.reads >= 2)
    match change:
        case "progress":
            assert await other.append_progress(job, "a", NOW + 1, "searching", "e1", 1)
        case "release":
            await other.release_lease(job.id, "a")
        case "delete":
            await other.delete(job.id)
    await asyncio.wait_for(waiting, 60)
    await changes.close()
    await other.close()


async def test_a_change_while_the_listening_connection_is_lost_is_seen_and_it_listens_again(
    ledger: Counting, later: Later
) -> None:
    changes = JobChanges(ledger, lambda: NOW, never)
    job = await running(ledger)
    async with watching(changes, job) as waiting:
        await end_listening(ledger)
        await until(lambda: not works(changes))
        assert await ledger.append_progress(job, "a", NOW + 1, "searching", "e1", 1)
        assert not works(changes)
        later(2 * timeouts.FIRST_LISTEN_WAIT_S)
        await asyncio.wait_for(waiting, 60)
    job = await ledger.get(job.id) or job
    async with watching(changes, job) as waiting:
        assert await ledger.append_progress(job, "a", NOW + 2, "writing", "e2", 2)
        await asyncio.wait_for(waiting, 60)
    await changes.close()


async def test_a_change_whose_notification_was_lost_is_seen_by_a_poll(ledger: Counting) -> None:
    clock = Clock()
    gate = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await gate.wait()
        await clock.sleep(seconds)

    changes = JobChanges(ledger, clock, sleep)
    job = await running(ledger)
    async with watching(changes, job) as waiting:
        change = f"UPDATE research_jobs SET updated = {NOW + 1} WHERE id = '{job.id}'"  # announces nothing
        await ledger._database.write(lambda connection: connection.exec_driver_sql(change))
        gate.set()
        await asyncio.wait_for(waiting, 60)
    assert clock.now <= NOW + LEASE_S + 2  # the first poll comes before notifications do
    await changes.close()


async def test_notifications_that_do_not_arrive_are_noticed_and_jobs_are_read_each_second(
    ledger: Counting, monkeypatch: pytest.MonkeyPatch, later: Later, caplog: pytest.LogCaptureFixture
) -> None:
    listen = Database.listen

    def deaf(self: Database, channel: str, heard: Callable[[str], None]) -> object:
        return listen(self, channel, lambda payload: None)  # as behind pgbouncer in transaction mode

    monkeypatch.setattr(Database, "listen", deaf)
    clock = Clock()
    changes = JobChanges(ledger, clock, clock.sleep)
    job = await running(ledger)
    waiting = asyncio.create_task(changes.wait(job))
    async with asyncio.timeout(600):
        while "do not arrive, as behind pgbouncer" not in caplog.text:
            later(timeouts.LISTEN_CHECK_TIMEOUT_S)
            await asyncio.sleep(0.05)
    assert not works(changes)
    assert clock.now - NOW <= ledger.reads
    assert await ledger.append_progress(job, "a", NOW + 1, "searching", "e1", 1)
    await asyncio.wait_for(waiting, 60)
    await changes.close()


async def test_a_lease_is_seen_to_expire_within_a_second(open_ledger: Open) -> None:
    ledger, clock = open_ledger(), Clock()
    changes = JobChanges(ledger, clock, clock.sleep)
    job = await running(ledger, lease_s=7)
    async with watching(changes, job):
        clock.goes.clear()
        now = clock.now
        assert await ledger.take_lease(job.id, "a", now, 7)
        clock.goes.set()
        while clock.now <= now + 7:  # a read that was under way when the lease was taken ends the first wait early
            await changes.wait(job, until_free=True)
        assert clock.now <= now + 8 + 1
    await changes.close()


async def test_many_watchers_read_as_often_as_one(postgres: Server, tmp_path: object) -> None:
    for url, least_s in ((f"sqlite+aiosqlite:///{tmp_path}/ledger.db", 0.9), (postgres.create_database(), 4.5)):
        ledger, clock = Counting(url), Clock()
        changes = JobChanges(ledger, clock, clock.sleep)
        jobs = [await running(ledger, number, lease_s=1e6) for number in range(20)]
        waiting = [asyncio.create_task(changes.wait(job)) for job in jobs]
        if changes._listener:
            await until(lambda changes=changes: works(changes))  # type: ignore[misc]
        reads, now = ledger.reads, clock.now
        await until(lambda clock=clock, now=now: clock.now > now + 60)  # type: ignore[misc]
        assert (clock.now - now) / (ledger.reads - reads) >= least_s
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await changes.close()
        await ledger.close()
