"""The database of the ledger: opened by URL, brought up to date, one short transaction at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, ProgrammingError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from tools.database_url import DatabaseUrl, parse_database_url, shown
from tools.errors import DeskError
from tools.research.migrations import LATEST, migrate
from tools.settings import SettingsError

HINTS = {
    "sqlite+aiosqlite": "its folder has to exist or be creatable, and both have to be writable (DESK_DATA_DIR)",
    "postgresql+asyncpg": "look at user, password, host and database in DESK_DATABASE_URL, and whether the server runs",
}
"""The databases that a ledger can live in, by driver, and what to do when one cannot be opened."""
POOL = {"pool_size": 4, "max_overflow": 4}
"""Connections to a server that a process keeps, and as many more for a while; docs/scaling.md reckons with them."""


class LedgerError(DeskError):
    """The ledger's database cannot be opened. The text names it, without its password, and says what to do."""


DATABASE_ERRORS = (LedgerError, SQLAlchemyError, OSError)
"""What a statement raises when the database does not answer, or refuses what it was given (`refuses_value`)."""
_REFUSALS = ("22", "23", "42", "54")
"""Classes of SQLSTATE that are about the statement: data, constraints, syntax, size (postgresql.org, appendix A)."""
_FORBIDDEN = "42501"
"""The one of them that is about who asks, and changes by a GRANT."""
_SQLITE_REFUSALS = (1, 18, 19, 20)
"""SQLite's codes that are about the statement: ERROR, TOOBIG, CONSTRAINT, MISMATCH (sqlite.org/rescode.html)."""


def refuses_value(error: BaseException) -> bool:
    """Whether a database answered and refused a statement or its values: sent again, it is refused again.

    Args:
        error: what a statement raised, with or without SQLAlchemy around it.
    """
    if isinstance(error, OverflowError | UnicodeEncodeError):  # from SQLite's driver, which no library wraps
        return True
    if not isinstance(error, StatementError):
        return False
    if not isinstance(error, DBAPIError):  # a value is missing or could not be converted, so nothing was sent
        return True
    if state := getattr(error.orig, "sqlstate", None):
        return str(state).startswith(_REFUSALS) and state != _FORBIDDEN
    if code := getattr(error.orig, "sqlite_errorcode", None):
        return code & 0xFF in _SQLITE_REFUSALS
    return isinstance(error, ProgrammingError)  # SQLite's driver, of a type that it does not know


def describe_database_error(error: BaseException) -> str:
    """One of `DATABASE_ERRORS` in words for a person, without SQL and values."""
    if isinstance(error, LedgerError):
        return str(error)
    return "the database refuses a value" if refuses_value(error) else "the database does not answer now"


class Database:
    """A database by its address, see `tools.database_url`.

    Raises:
        LedgerError: it cannot be opened; from here or from the first `begin`.
    """

    def __init__(self, url: str) -> None:
        self.url, arguments = _parsed(url)
        self.engine = _engine(self.url, arguments)
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
                    f"the ledger {shown(self.url)} has version {version} and this program knows versions up to "
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


def _parsed(text: str) -> DatabaseUrl:
    try:
        found = parse_database_url(text, "DESK_DATABASE_URL")
    except SettingsError as error:
        raise LedgerError(str(error)) from None
    if found.url.get_backend_name() == "sqlite" and found.url.database in (None, "", ":memory:"):
        raise LedgerError(
            "DESK_DATABASE_URL names no file, and a ledger in memory is lost: write sqlite:////FOLDER/FILE"
        )
    return found


def _engine(url: URL, arguments: dict[str, Any]) -> AsyncEngine:
    sqlite = url.get_backend_name() == "sqlite"
    # A SQLite connection belongs to the event loop that made it, so none is kept; one to a server may be dead by now.
    pool: dict[str, Any] = {"poolclass": NullPool} if sqlite else {"pool_pre_ping": True, **POOL}
    patience = {"timeout": 30} if sqlite else {"timeout": 30, "command_timeout": 30}
    try:
        if sqlite and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        # the words of an error are logged, and its parameters would be briefs and messages
        engine = create_async_engine(url, connect_args=arguments | patience, hide_parameters=True, **pool)
    except ModuleNotFoundError as error:
        raise LedgerError(
            f"the ledger {shown(url)} needs the package {error.name}: pip install 'research-desk[postgres]'"
        ) from error
    except (SQLAlchemyError, OSError, ValueError) as error:
        raise _unusable(url, error) from error
    if sqlite:
        event.listen(engine.sync_engine, "connect", _read_any_text)
    return engine


def _read_any_text(connection: Any, _: object) -> None:
    """Bytes that are no UTF-8 cost their characters: SQLite's driver would refuse all rows of the answer."""
    connection.driver_connection.text_factory = readable


def readable(text: bytes) -> str:
    """A text of SQLite's, whoever wrote it."""
    return text.decode("utf-8", "replace")


def _unusable(url: URL, error: Exception) -> LedgerError:
    reason = str(getattr(error, "orig", None) or error) or type(error).__name__
    return LedgerError(f"the ledger {shown(url)} cannot be opened ({reason.splitlines()[0]}): {HINTS[url.drivername]}")
