"""Single statements take the shortest way to the database, with the results and errors of the usual way."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, bindparam, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.event import listen
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from tests.ledger.server import Server, statements
from tools.databases.connections import IDLE_S
from tools.databases.transactions import Transactions
from tools.research.database import POOL, Database
from tools.research.database_errors import describe_database_error, refuses_value
from tools.research.locks import Locks

PUT = text("INSERT INTO desk_turns (id, owner, lease_until) VALUES (:id, :owner, :until) RETURNING id, lease_until")
NORMAL, FULL = 1, 2
"""Levels of SQLite's `synchronous`: with `FULL`, a commit waits until the disk has it."""
VALUES = {"id": "a", "owner": "me", "until": 1.5}


async def test_a_statement_gives_the_rows_and_the_refusals_that_sqlalchemy_gives(url: str) -> None:
    database = Database(url)
    assert [*map(tuple, await database.execute(PUT, VALUES))] == [("a", 1.5)]
    assert not await database.execute(text("DELETE FROM desk_turns WHERE id = :id"), {"id": "nothing"})
    for values in (VALUES, VALUES | {"id": "b", "owner": None}, VALUES | {"id": "half \ud83c of a wave"}):
        with pytest.raises((SQLAlchemyError, UnicodeError)) as caught:
            await database.execute(PUT, values)
        with pytest.raises((SQLAlchemyError, UnicodeError)) as usual:
            await database.write(lambda connection, values=values: connection.execute(PUT, values))  # type: ignore[misc]
        assert refuses_value(caught.value) and refuses_value(usual.value)
        assert describe_database_error(caught.value) == describe_database_error(usual.value)
        assert "[parameters" not in str(caught.value)
    await database.close()


async def test_a_power_cut_may_undo_a_statement_on_sqlite_but_no_transaction(tmp_path: Path) -> None:
    database, level = Database(f"sqlite:///{tmp_path / 'ledger.db'}"), text("PRAGMA synchronous")
    assert [*await database.execute(level, {})] == [(NORMAL,)]
    for run in (database.read, database.write):
        assert await run(lambda connection: connection.execute(level).scalar_one()) == FULL
    await database.close()


def restore(file: Path, backup: Path) -> None:
    """Puts a backup in the place of a database."""
    for journal in file.parent.glob(f"{file.name}-*"):
        journal.unlink()
    backup.replace(file)


async def test_a_file_that_takes_the_place_of_the_ledger_is_used_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("ledger.db", "backup.db")]
    database, backup = (Database(f"sqlite:///{path}") for path in paths)
    await backup.execute(PUT, VALUES)
    await backup.close()
    await database.prepare()
    ids = text("SELECT id FROM desk_turns")
    assert not await database.read(lambda connection: connection.execute(ids).all())
    restore(*paths)
    assert await database.read(lambda connection: connection.execute(ids).scalars().all()) == ["a"]
    await database.write(lambda connection: connection.execute(PUT, VALUES | {"id": "b"}).all())
    await database.execute(PUT, VALUES | {"id": "c"})
    with closing(sqlite3.connect(paths[0])) as other:
        assert {*other.execute("SELECT id FROM desk_turns")} == {("a",), ("b",), ("c",)}
    paths[0].unlink()
    with pytest.raises(SQLAlchemyError, match="no such table"):  # nothing is written to the file that was deleted
        await database.write(lambda connection: connection.execute(PUT, VALUES).all())
    await database.close()


async def test_readers_do_not_wait_for_a_writer_of_the_same_process(tmp_path: Path) -> None:
    database, ended = Database(f"sqlite:///{tmp_path / 'ledger.db'}"), threading.Event()
    await database.execute(PUT, VALUES)

    def write(connection: Connection) -> None:
        connection.execute(text("DELETE FROM desk_turns"))
        assert ended.wait(60)

    writing = asyncio.create_task(database.write(write))
    query = text("SELECT count(*) FROM desk_turns")
    for _ in range(5):
        assert await database.read(lambda connection: connection.execute(query).scalar_one()) == 1
    ended.set()
    await writing
    assert await database.read(lambda connection: connection.execute(query).scalar_one()) == 0
    await database.close()


def test_a_ledger_serves_several_event_loops_and_ends_its_threads(tmp_path: Path) -> None:
    before, query = {*threading.enumerate()}, text("SELECT 1")
    database = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    for _ in range(3):
        assert asyncio.run(database.read(lambda connection: connection.execute(query).scalar_one())) == 1
        asyncio.run(database.execute(text("DELETE FROM desk_turns"), {}))
    assert {*threading.enumerate()} - before
    asyncio.run(database.close())
    assert not {*threading.enumerate()} - before


async def test_values_and_columns_of_json_are_those_of_sqlalchemy(postgres: Server) -> None:
    engine, value = create_async_engine(postgres.create_database()), {"a": [1, None, "é"]}
    statement = select(bindparam("value", type_=JSONB), text("1")).limit(5)
    async with engine.connect() as connection:
        expected = (await connection.execute(statement, {"value": value})).all()
    found = await Transactions(engine).execute(statement, {"value": json.dumps(value)})
    assert [*map(tuple, found)] == [*map(tuple, expected)] == [(value, 1)]
    await engine.dispose()


async def test_a_lock_is_two_statements_of_postgresql_and_one_more_each_after_a_pause(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(postgres.create_database())
    sent, locks = statements(database.engine), Locks(database)
    for idle_s, tested in ((IDLE_S, []), (0, ["SELECT"])):
        monkeypatch.setattr("tools.databases.connections.IDLE_S", idle_s)
        async with locks.hold("first"):
            pass
        sent.clear()
        async with locks.hold("a"):
            pass
        assert [each.partition(" ")[0] for each in sent] == [*tested, "INSERT", *tested, "DELETE"]
    await database.close()


async def test_a_connection_that_the_server_has_closed_is_replaced(postgres: Server) -> None:
    database = Database(postgres.create_database())
    await database.execute(PUT, VALUES)
    await asyncio.to_thread(postgres.restart)
    assert await database.execute(PUT, VALUES | {"id": "b"})
    await database.close()


async def test_statements_at_the_same_time_open_no_connections_beyond_those_that_the_pool_keeps(
    postgres: Server,
) -> None:
    database, opened = Database(postgres.create_database()), list[object]()
    await database.execute(PUT, VALUES)
    listen(database.engine.sync_engine, "connect", lambda *given: opened.append(given))
    await asyncio.gather(*(database.execute(PUT, VALUES | {"id": f"{number}"}) for number in range(100)))
    assert len(opened) == POOL["pool_size"] - 1
    await database.close()
