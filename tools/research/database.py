"""The database of the ledger: opens it by URL, migrates it, and provides short transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, Table, event, text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from tools.databases.connections import replace_when_closed
from tools.databases.database_url import DatabaseUrl, parse_database_url, redacted_url, sqlite_file
from tools.databases.shielded import shielded
from tools.databases.transactions import Transactions
from tools.errors import advice_if_damaged, words_of
from tools.extras import install_command
from tools.files.private_files import create_private_file, create_private_folder
from tools.research.database_errors import LedgerError
from tools.research.migrations import LATEST, migrate
from tools.research.timeouts import DATABASE_TIMEOUT_S
from tools.settings import SettingsError

R = TypeVar("R")
HINTS = {
    "sqlite+aiosqlite": "the file and its folder must be writable; a missing folder is created (DESK_DATA_DIR, or"
    " DESK_DATABASE_URL if it is set)",
    "postgresql+asyncpg": "check user, password, host and database in DESK_DATABASE_URL, and whether the server runs",
}
"""Maps each supported driver to what to do if its database cannot be opened."""
POOL = {"pool_size": 4, "max_overflow": 4}
"""Connections that a process keeps to a database server, and how many more it may open; see docs/scaling.md."""


class Database:
    """A database, opened by its address, see `tools.databases.database_url`.

    Raises:
        LedgerError: the database cannot be opened; raised here or by the first transaction.
    """

    def __init__(self, url: str) -> None:
        self.url, arguments = _parsed(url)
        self.engine = _engine(self.url, arguments)
        sqlite = self.url.get_backend_name() == "sqlite"
        # SQLite allows one writer at a time and makes the others poll: a lock is faster and fair.
        self._write_lock = asyncio.Lock() if sqlite else nullcontext()
        self._ready = False
        of_driver = arguments | {"timeout": DATABASE_TIMEOUT_S}
        self._statements = Transactions(self.engine, of_driver)
        self._transactions = Transactions(self.engine, of_driver, set_up=_read_any_text, threads=POOL["pool_size"])

    async def prepare(self) -> None:
        """Opens the database and migrates its tables, unless that was done.

        Raises:
            LedgerError: the database cannot be opened, or a newer program has migrated it.
        """
        if not self._ready:
            await self.read(lambda _: None)

    @shielded
    async def read(self, work: Callable[[Connection], R]) -> R:
        """Runs `work`, which writes nothing, in a transaction, and returns its result; see `Transactions.run`.

        Raises:
            LedgerError: the database cannot be opened, or a newer program has migrated it.
            sqlalchemy.exc.SQLAlchemyError, OSError: it does not answer, or refuses a statement.
        """
        opened = False

        def transaction(connection: Connection) -> R:
            nonlocal opened
            version = LATEST if self._ready else migrate(connection)
            opened = True
            if version > LATEST:
                raise LedgerError(
                    f"the ledger {redacted_url(self.url)} has version {version} and this program knows versions up to "
                    f"{LATEST}: update the program, or name another database in DESK_DATABASE_URL"
                )
            self._ready = True
            with connection.begin():
                return work(connection)

        try:
            return await self._transactions.connect(transaction)
        except (SQLAlchemyError, OSError) as error:
            if opened:
                raise
            raise _unusable(self.url, error) from error

    @shielded
    async def write(self, work: Callable[[Connection], R]) -> R:
        """Runs `work` in a transaction that writes, and returns its result. A power cut does not undo it.

        Raises:
            LedgerError, sqlalchemy.exc.SQLAlchemyError, OSError: as `read`.
        """
        async with self._write_lock:
            return await self.read(work)

    @shielded
    async def execute(self, statement: Executable, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Executes one statement that may write, and returns its rows; see `Transactions.execute`.

        On SQLite, a power cut may undo it.

        Raises:
            LedgerError, sqlalchemy.exc.SQLAlchemyError, OSError: as `read`.
        """
        await self.prepare()
        async with self._write_lock:
            return await self._statements.execute(statement, values)

    @asynccontextmanager
    async def listen(self, channel: str, heard: Callable[[str], None]) -> AsyncIterator[asyncio.Event]:
        """Receives notifications of PostgreSQL on a connection outside the pool.

        Args:
            heard: called with the payload of each notification.

        Yields:
            An event that is set when the connection has ended.

        Raises:
            Exception: an error of SQLAlchemy, asyncpg or the network.
        """
        async with self.engine.connect() as connection:
            pooled = await connection.get_raw_connection()
            driver: Any = pooled.driver_connection
            pooled.detach()
            ended = asyncio.Event()
            driver.add_termination_listener(lambda _: ended.set())
            try:
                await driver.add_listener(channel, lambda _connection, _pid, _channel, payload: heard(payload))
                yield ended
            finally:
                driver.terminate()

    async def write_nothing(self) -> None:
        """Takes the write lock, and changes nothing.

        Raises:
            LedgerError, sqlalchemy.exc.SQLAlchemyError, OSError: the database cannot be written now.
        """
        await self.write(lambda connection: connection.execute(text("UPDATE desk_turns SET owner = owner WHERE 1 = 0")))

    async def close(self) -> None:
        """Ends all connections of the pool."""
        self._statements.close()
        self._transactions.close()
        await self.engine.dispose()


def upsert(connection: Connection, table: Table) -> Any:
    """Returns an `INSERT` that supports `ON CONFLICT`, for SQLite or PostgreSQL."""
    return (postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert)(table)


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
    # A SQLite connection belongs to an event loop, so none is kept.
    pool: dict[str, Any] = {"poolclass": NullPool} if sqlite else POOL
    timeouts = {"timeout": DATABASE_TIMEOUT_S} | ({} if sqlite else {"command_timeout": DATABASE_TIMEOUT_S})
    try:
        if sqlite and url.database:
            create_private_folder(Path(url.database).parent)
        # Error texts are logged, so they must not contain parameters, which may be briefs and messages.
        engine = create_async_engine(url, connect_args=arguments | timeouts, hide_parameters=True, **pool)
    except ModuleNotFoundError as error:
        raise LedgerError(
            f"the ledger {redacted_url(url)} needs the package {error.name}: {install_command('postgres')}"
        ) from error
    except (SQLAlchemyError, OSError, ValueError) as error:
        raise _unusable(url, error) from error
    if sqlite:
        event.listen(engine.sync_engine, "connect", _read_any_text)
    else:
        replace_when_closed(engine)
    if file := sqlite_file(url):
        event.listen(engine.sync_engine, "do_connect", lambda *_: create_private_file(file))
    return engine


def _read_any_text(connection: Any, _: object) -> None:
    """Replaces bytes that are not UTF-8, because SQLite's driver would refuse all rows of the result."""
    getattr(connection, "driver_connection", connection).text_factory = decode_utf8


def decode_utf8(text: bytes) -> str:
    """Decodes a text of SQLite; replaces bytes that are not UTF-8."""
    return text.decode("utf-8", "replace")


def _unusable(url: URL, error: Exception) -> LedgerError:
    cause = getattr(error, "orig", None) or error
    reason = (words_of(cause) if isinstance(cause, OSError) else str(cause)) or type(error).__name__
    step = advice_if_damaged(cause) or f": {HINTS[url.drivername]}"
    return LedgerError(f"the ledger {redacted_url(url)} cannot be opened ({reason.splitlines()[0]}){step}")
