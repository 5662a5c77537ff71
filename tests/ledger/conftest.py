"""The backends that a ledger can live in, each as a fresh database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.ledger.server import Server
from tools.research.ledger import Ledger

Open = Callable[[], Ledger]
"""Opens the same database once more, as another process would."""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"
    postgres: Server = request.getfixturevalue("postgres")
    return postgres.create_database()


@pytest.fixture
async def open_ledger(url: str) -> AsyncIterator[Open]:
    """Ledgers that are closed at the end."""
    opened: list[Ledger] = []

    def open_one() -> Ledger:
        opened.append(Ledger(url))
        return opened[-1]

    yield open_one
    for ledger in opened:
        await ledger.close()
