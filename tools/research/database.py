"""The database of the ledger: opened by URL, brought up to date, one short transaction at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from tools.research.migrations import LATEST, migrate

HINTS = {
    "sqlite+aiosqlite": "its folder has to exist or be creatable, and both have to be writable (DESK_DATA_DIR)",
    "postgresql+asyncpg": "look at user, password, host and database in DESK_DATABASE_URL, and whether the server runs",
}
"""The databases that a ledger can live in, by driver, and what to do when one cannot be opened."""
POOL = {"pool_size": 4, "max_overflow": 4}
"""Connections to a server that a process keeps, and as many more for a while; docs/scaling.md reckons with them."""
FORMS = "sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE"


class LedgerError(Exception):
    """The ledger's database cannot be opened. The text names it, without its password, and says what to do."""


DATABASE_ERRORS = (LedgerError, SQLAlchemyError, OSError)
"""What a statement raises when the database does not answer."""


class Database:
    """A database by SQLAlchemy URL, in one of the `FORMS`.

    Raises:
        LedgerError: it cannot be opened; from here or from the first `begin`.
    """

    def __init__(self, url: str) -> None:
        self.url = _url(url)
        self.engine = _engine(self.url)
        sqlite = self.url.get_backend_name() == "sqlite"
        # SQLite lets one write at a time and the others ask again and again: standing in line is faster and fair.
        self._turn = asyncio.Lock() if sqlite else nullcontext()
        # Each of its connections is a thread, and a thousand researches may ask at once.
        self._few = asyncio.Semaphore(POOL["pool_size"]) if sqlite else nullcontext()
        self._ready = False

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction on the tables as this program knows them. Wait for nothing else inside.

        Raises:
            LedgerError: the database cannot be opened, or a newer program has changed it.
        """
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._few)
            try:
                connection = await stack.enter_async_context(self.engine.connect())
                version = LATEST if self._ready else await connection.run_sync(migrate)
            except (SQLAlchemyError, OSError) as error:
                raise _unusable(self.url, error) from error
            if version > LATEST:
                raise LedgerError(
                    f"the ledger {_shown(self.url)} has version {version} and this program knows versions up to "
                    f"{LATEST}: update the program, or name another database in DESK_DATABASE_URL"
                )
            self._ready = True
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes."""
        async with self._turn, self.begin() as connection:
            yield connection

    async def close(self) -> None:
        """Ends all connections."""
        await self.engine.dispose()


def _url(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # whose words may hold the password
        raise LedgerError(f"DESK_DATABASE_URL is not the address of a database: write {FORMS}") from None
    if url.drivername not in HINTS:
        raise LedgerError(f"the ledger {_shown(url)} is for a driver that is not used here: write {FORMS}")
    return url


def _engine(url: URL) -> AsyncEngine:
    sqlite = url.get_backend_name() == "sqlite"
    # A SQLite connection belongs to the event loop that made it, so none is kept; one to a server may be dead by now.
    pool: dict[str, Any] = {"poolclass": NullPool} if sqlite else {"pool_pre_ping": True, **POOL}
    patience = {"timeout": 30} if sqlite else {"timeout": 30, "command_timeout": 30}
    try:
        if sqlite and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        # the words of an error are logged, and its parameters would be briefs and messages
        return create_async_engine(url, connect_args=patience, hide_parameters=True, **pool)
    except ModuleNotFoundError as error:
        raise LedgerError(
            f"the ledger {_shown(url)} needs the package {error.name}: pip install 'research-desk[postgres]'"
        ) from error
    except OSError as error:
        raise _unusable(url, error) from error


def _unusable(url: URL, error: Exception) -> LedgerError:
    reason = str(getattr(error, "orig", None) or error) or type(error).__name__
    return LedgerError(f"the ledger {_shown(url)} cannot be opened ({reason.splitlines()[0]}): {HINTS[url.drivername]}")


def _shown(url: URL) -> str:
    return url.difference_update_query(["password"]).render_as_string(hide_password=True)
