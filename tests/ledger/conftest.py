"""Fixtures that give each ledger test an empty database, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.ledger.server import Server
from tools.research.job import Job, new_job
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.research.spending import Used, spending_of_question

Open = Callable[[], Ledger]
"""Opens the same database again, as another process would."""
NOW = 1_790_000_000.0
"""Seconds since the epoch."""
MODEL = "gemini-3.8-flash"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"
    postgres: Server = request.getfixturevalue("postgres")
    return postgres.create_database()


@pytest.fixture
async def open_ledger(url: str) -> AsyncIterator[Open]:
    """Opens ledgers on one database, and closes them when the test ends."""
    opened: list[Ledger] = []

    def open_one() -> Ledger:
        opened.append(Ledger(url))
        return opened[-1]

    yield open_one
    for ledger in opened:
        await ledger.close()


class Looked(Exception):
    """Ends a check that only reads the usage, so that nothing is written."""


async def used(ledger: Ledger, now: float = NOW, job: Job | None = None, user: str = "ada") -> Used:
    """The usage that a limit check gets before a user's next create. Writes nothing."""
    found = list[Used]()

    def look(used: Used) -> None:
        found.append(used)
        raise Looked

    job = job or new_job(Order("something else", user, "s1", "deep-research"), now)
    with pytest.raises(Looked):
        await ledger.record_spending(job, spending_of_question(job, MODEL, now), look)
    return found[0]
