"""`refuses_value` distinguishes a database that refuses a value from one that is unavailable."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.ledger.server import NoServer, Server, postgresql
from tools.research.database import Database
from tools.research.database_errors import refuses_value

TURN = "INSERT INTO desk_turns (id, owner, lease_until) VALUES (:id, :owner, :until)"
NUMBER = "INSERT INTO desk_migrations (number) VALUES (:number)"


async def failure(database: Database, *statements: str, **values: Any) -> BaseException:
    """The error that these statements raise in one transaction."""
    with pytest.raises(Exception) as caught:  # the tests examine which error it is
        await database.write(lambda connection: [connection.execute(text(each), values) for each in statements])
    return caught.value


async def test_errors_about_a_value_or_a_statement_count_as_refusals(url: str) -> None:
    database, turn = Database(url), {"id": "new", "owner": "me", "until": 1.0}
    await database.execute(text(TURN), turn | {"id": "taken"})
    refused = {
        "twice": await failure(database, TURN, **turn | {"id": "taken"}),
        "null": await failure(database, TURN, **turn | {"owner": None}),
        "surrogate": await failure(database, TURN, **turn | {"id": "half \ud83c of a wave"}),
        "list": await failure(database, TURN, **turn | {"id": ["a", "list"]}),
        "missing": await failure(database, TURN, id="new", owner="me"),
        "large": await failure(database, NUMBER, number=2**70),
        "word": await failure(database, NUMBER, number="many"),
        "syntax": await failure(database, "SELEKT 1"),
        "table": await failure(database, "SELECT * FROM nowhere"),
        "column": await failure(database, "SELECT nothing FROM desk_turns"),
    }
    if url.startswith("postgresql"):
        refused |= {
            "nul": await failure(database, TURN, **turn | {"id": "nul \0"}),
            "too long for an index": await failure(database, TURN, **turn | {"id": os.urandom(10_000).hex()}),
            "no json": await failure(database, "SELECT CAST(:value AS json)", value="{"),
            "division": await failure(database, "SELECT 1/0"),
        }
    assert {name: refuses_value(error) for name, error in refused.items()} == dict.fromkeys(refused, True), refused
    await database.close()


async def test_temporary_and_permission_errors_of_postgresql_are_not_refusals(postgres: Server) -> None:
    url = postgres.create_database()
    database, other = Database(url), Database(url)
    await database.prepare()
    for statements in (
        ("SET statement_timeout = 1", "SELECT pg_sleep(60)"),
        ("SET TRANSACTION READ ONLY", "DELETE FROM desk_turns"),
        ("CREATE ROLE guest", "SET ROLE guest", "DELETE FROM desk_turns"),
    ):
        error = await failure(database, *statements)
        assert not refuses_value(error), repr(error)
    own = "SELECT pg_terminate_backend(pg_backend_pid())"
    error = await failure(database, own, "SELECT 1")
    assert not refuses_value(error), repr(error)
    await other.close()
    await database.close()


async def test_errors_of_a_stopped_postgresql_server_are_not_refusals() -> None:
    pytest.importorskip("asyncpg")
    try:
        with postgresql() as own:
            database = Database(own.create_database())
            await database.prepare()
            own.run("pg_ctl", "-D", str(own.folder / "data"), "-w", "-m", "immediate", "stop")
            for _ in range(2):
                assert not refuses_value(await failure(database, "SELECT 1"))
            own.restart()
            assert [*map(tuple, await database.execute(text("SELECT 1"), {}))] == [(1,)]
            await database.close()
    except NoServer as error:
        pytest.skip(str(error))


async def test_errors_of_a_locked_full_or_corrupt_sqlite_file_are_not_refusals(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "ledger.db"
    database = Database(f"sqlite:///{file}")
    await database.prepare()

    async def on_connection_of_its_own(*statements: str) -> BaseException:
        own = Database(f"sqlite:///{file}")
        await own.prepare()
        error = await failure(own, *statements)
        await own.close()
        return error

    write = TURN.replace(":id", "'a'").replace(":owner", "'b'").replace(":until", "1")
    large = TURN.replace(":id", "hex(zeroblob(500000))").replace(":owner", "'b'").replace(":until", "1")
    other = await asyncio.to_thread(sqlite3.connect, file, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    locked = await on_connection_of_its_own("PRAGMA busy_timeout = 1", write)
    other.close()
    found = {
        "locked": locked,
        "read-only": await on_connection_of_its_own("PRAGMA query_only = 1", write),
        "full": await on_connection_of_its_own("PRAGMA max_page_count = 1", large),
    }
    copy = file.with_name("copy")
    copy.write_bytes(file.read_bytes()[:100] + b"\xff" * 100_000)
    for path in file.parent.glob("ledger.db-*"):
        path.unlink()
    copy.replace(file)
    found["spoilt"] = await failure(database, "SELECT * FROM research_jobs")
    shutil.rmtree(file.parent)
    found["missing"] = await failure(database, "SELECT 1")
    assert {name: refuses_value(error) for name, error in found.items()} == dict.fromkeys(found, False), found


def test_errors_from_outside_the_database_are_not_refusals() -> None:
    assert not any(map(refuses_value, (OSError("away"), TimeoutError(), ValueError("else"), RuntimeError())))
