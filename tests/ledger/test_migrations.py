"""Migrations of empty, old and newer databases, and the errors of databases that cannot be opened."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from tests.ledger.conftest import Open, used
from tests.ledger.prerelease import STEPS, made_by
from tests.ledger.server import PASSWORD
from tests.ledger.test_contract import ORDER, job_of
from tools.research.database_errors import LedgerError
from tools.research.job import Kind, new_job
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.migrations import LATEST
from tools.research.migrations.m001_baseline import INDEXES, TABLES
from tools.research.spending import Spending, Used
from tools.research.tables import JOBS, NOTICES, QUESTIONS, SCHEDULES, SPENDING

FIRST = [
    'CREATE TABLE research_jobs (id VARCHAR(32) NOT NULL, "key" VARCHAR(64) NOT NULL, "user" VARCHAR(255) NOT NULL, '
    '"session" VARCHAR(255) NOT NULL, brief TEXT NOT NULL, agent VARCHAR(255) NOT NULL, options TEXT NOT NULL, '
    "attempt INTEGER NOT NULL, state VARCHAR(32) NOT NULL, created FLOAT NOT NULL, updated FLOAT NOT NULL, "
    'interaction_id VARCHAR(255), "cursor" VARCHAR(255), events INTEGER NOT NULL, finished FLOAT, '
    '"usage" TEXT NOT NULL, error TEXT NOT NULL, report TEXT, PRIMARY KEY (id), UNIQUE ("key"))',
    'CREATE INDEX ix_research_jobs_user ON research_jobs ("user")',
    "CREATE INDEX ix_research_jobs_session ON research_jobs (session)",
]
"""Statements that created the table before migrations were numbered."""
SECOND = [
    *FIRST,
    "ALTER TABLE research_jobs ADD COLUMN owner VARCHAR(255)",
    "ALTER TABLE research_jobs ADD COLUMN lease_until FLOAT",
    "ALTER TABLE research_jobs ADD COLUMN line TEXT NOT NULL DEFAULT ''",
    'ALTER TABLE research_jobs ADD COLUMN "plan" TEXT',
    "ALTER TABLE research_jobs ADD COLUMN inputs TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE research_jobs ADD COLUMN cost FLOAT NOT NULL DEFAULT 0",
]
ROW = (
    'INSERT INTO research_jobs (id, "key", "user", "session", brief, agent, options, attempt, state, created, updated, '
    'interaction_id, "cursor", events, "usage", error, report) VALUES (\'job_old23456\', '
    f"'{ORDER.key}', 'ada', 's1', 'Why are there tides?', 'deep-research-preview-04-2026', "
    "'{\"thinking_summaries\"\\: \"auto\"}', 1, 'running', 1, 2, 'v1_a', 'e7', 7, '{}', '', 'Ebbe 🌊')"
)
NOTHING: list[str] = []
NINTH = made_by(9)
"""Statements of version 9, the last one without tables for spending and questions."""
RELEASED = {
    "nothing": NOTHING,
    "first": FIRST,
    "second": SECOND,
    **{f"version {number}": made_by(number) for number, _ in STEPS},
}
EVERY_DAY = ("nothing", "first", "second", f"version {STEPS[-1][0]}")
"""The ends of the chain; the versions between them take the same steps, from a later one on."""


async def sql(url: str, *statements: str) -> list[Any]:
    """Runs statements without the ledger, and returns the rows of the last one."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in statements:
            result = await connection.execute(text(statement))
        rows = [*result] if result.returns_rows else []
    await engine.dispose()
    return rows


async def shape(url: str) -> tuple[dict[str, set[str]], set[str]]:
    """The names of the columns of each table, and of the indexes."""

    def read(connection: Connection) -> tuple[dict[str, set[str]], set[str]]:
        inspector = inspect(connection)
        tables = inspector.get_table_names()
        columns = {table: {column["name"] for column in inspector.get_columns(table)} for table in tables}
        indexes = {str(index["name"]) for table in tables for index in inspector.get_indexes(table)}
        return columns, {name for name in indexes if name.startswith("ix_")}

    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await connection.run_sync(read)
    await engine.dispose()
    return found


async def optional_columns(url: str, table: str) -> set[str]:
    """The columns of a table that may be NULL."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        columns = await connection.run_sync(lambda connection: inspect(connection).get_columns(table))
    await engine.dispose()
    return {column["name"] for column in columns if column["nullable"]}


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(statements, id=name, marks=() if name in EVERY_DAY else pytest.mark.nightly)
        for name, statements in RELEASED.items()
    ],
)
async def test_concurrent_first_connections_apply_each_migration_once(
    url: str, open_ledger: Open, statements: Sequence[str]
) -> None:
    if statements:
        await sql(url, *statements)
    found = await asyncio.gather(*(open_ledger().find() for _ in range(8)))
    assert found == [[]] * 8
    numbers = await sql(url, "SELECT number FROM desk_migrations ORDER BY number")
    assert [number for (number,) in numbers] == [*range(1, LATEST + 1)]
    columns, indexes = await shape(url)
    assert columns["research_jobs"] == set(JOBS.columns.keys())
    optional = {column.name for column in JOBS.columns if column.nullable}
    assert await optional_columns(url, "research_jobs") - {"id"} == optional
    assert columns["desk_spending"] == set(SPENDING.columns.keys())
    assert columns["desk_questions"] == set(QUESTIONS.columns.keys())
    assert columns["desk_notices"] == set(NOTICES.columns.keys())
    new = {"desk_notices", "desk_migrations", "desk_secrets", "desk_schedules"}
    assert {*TABLES, *new} == set(columns) - {"research_migrations"}
    assert columns["desk_schedules"] == set(SCHEDULES.columns.keys())
    added = {"ix_desk_schedules_user", "ix_desk_schedules_due", "ix_research_jobs_schedule_due"}
    added |= {"ix_desk_notices_job", "ix_desk_notices_due", "ix_desk_spending_schedule_time"}
    assert indexes == {*INDEXES, *added}
    job = new_job(ORDER, 0)
    assert await open_ledger().add(job) == (job, True)


@pytest.mark.parametrize("statements", [FIRST, SECOND], ids=["first", "second"])
async def test_jobs_of_an_old_database_survive_the_migration_and_can_continue(
    url: str, open_ledger: Open, statements: Sequence[str]
) -> None:
    await sql(url, *statements, ROW)
    ledger = open_ledger()
    joined, new = await ledger.add(new_job(ORDER, 5))
    assert (joined.id, new, joined.state, joined.cursor, joined.events) == (
        "job_old23456", False, State.RUNNING, "e7", 7,
    )  # fmt: skip
    assert (joined.order, joined.line, joined.plan, joined.cost) == (ORDER, "", None, 0.0)
    assert (joined.follow_ups, joined.started, joined.latest_interaction_id) == ((), None, "v1_a")
    assert await ledger.report(joined.id) == "Ebbe 🌊"
    assert await ledger.take_lease(joined.id, "a", now=0, seconds=10)


STARTED = {
    # id: state, interaction, cost, usage; whether its create was sent
    "job_intended": ("intended", None, 3.0, {}, False),
    "job_waiting": ("awaiting_approval", None, 7.0, {}, False),
    "job_refused": ("failed", None, 3.0, {}, False),
    "job_given_up": ("cancelled", None, 3.0, {}, False),
    "job_starting": ("starting", None, 3.0, {}, True),
    "job_unknown": ("start_unknown", None, 3.0, {}, True),
    "job_running": ("running", "v1_a", 3.0, {}, True),
    "job_plan": ("awaiting_approval", "v1_b", 3.0, {"total_tokens": 7}, True),
    "job_done": ("completed", "v1_c", 7.0, {"total_tokens": 9000}, True),
    "job_cancelled": ("cancelled", "v1_d", 3.0, {}, True),
}


def ninth_row(number: int, job_id: str) -> str:
    """A statement that inserts a job as a program of version 9 did."""
    state, interaction, cost, usage, _ = STARTED[job_id]
    named = "NULL" if interaction is None else f"'{interaction}'"
    written = json.dumps(usage).replace(":", "\\:")  # otherwise SQLAlchemy reads a bind parameter
    return (
        'INSERT INTO research_jobs (id, "key", "user", "session", brief, agent, options, attempt, state, created,'
        ' updated, interaction_id, events, "usage", error, cost, server)'
        f" VALUES ('{job_id}', 'key {number}', 'ada', 's1', 'brief {number}', '{ORDER.agent}', '{{}}', 1, '{state}',"
        f" {number}, {number}, {named}, 0, '{written}', '', {cost}, '')"
    )


async def test_migration_from_version_9_keeps_jobs_and_records_each_started_run_as_spent(
    url: str, open_ledger: Open
) -> None:
    await sql(url, *NINTH, *(ninth_row(number, job_id) for number, job_id in enumerate(STARTED)))
    found = await asyncio.gather(*(open_ledger().find() for _ in range(8)))
    assert all(jobs == found[0] for jobs in found)
    jobs = {job.id: job for job in found[0]}
    assert {job_id: (job.state, job.interaction_id, job.cost, job.usage) for job_id, job in jobs.items()} == {
        job_id: row[:4] for job_id, row in STARTED.items()
    }
    assert {(job.order.title, job.may_run) for job in jobs.values()} == {("", False)}
    assert await open_ledger().spending() == [
        Spending(number, "ada", job_id, Kind.RUN, ORDER.agent, cost, usage)
        for number, (job_id, (_, _, cost, usage, sent)) in enumerate(STARTED.items())
        if sent
    ]


async def test_daily_limits_include_runs_that_were_started_before_the_migration(url: str, open_ledger: Open) -> None:
    await sql(url, *NINTH, *(ninth_row(number, job_id) for number, job_id in enumerate(STARTED)))
    found = await used(open_ledger(), now=20)
    expected = Used(running=4, creates=7, usd=22.0 + 3.0, waiting=2, dropped=2)
    assert found == expected  # includes the create that is about to be sent
    assert (await used(open_ledger(), now=20, job=job_of("another", "eve"))).usd == 0


async def test_a_failed_migration_leaves_the_database_unchanged(url: str, open_ledger: Open) -> None:
    await sql(url, *FIRST, "CREATE TABLE ix_research_jobs_user_created (a INTEGER)")  # takes the name of an index
    before = await shape(url)
    with pytest.raises(LedgerError, match="ix_research_jobs_user_created"):
        await open_ledger().find()
    assert await shape(url) == before
    await sql(url, "DROP TABLE ix_research_jobs_user_created")
    assert await open_ledger().find() == []


async def test_the_error_for_a_database_of_a_newer_program_names_both_versions(url: str, open_ledger: Open) -> None:
    await open_ledger().find()
    await sql(url, f"INSERT INTO desk_migrations (number) VALUES ({LATEST + 4})")
    for _ in range(2):
        with pytest.raises(LedgerError, match=rf"version {LATEST + 4} .* up to {LATEST}: update the program"):
            await open_ledger().find()


async def test_an_older_program_can_see_that_a_newer_one_migrated_the_ledger(url: str, open_ledger: Open) -> None:
    await sql(url, *made_by(10))
    await open_ledger().find()
    # The older program knows versions up to 10.
    assert await sql(url, "SELECT max(number) FROM research_migrations") == [(11,)]


async def test_a_ledger_works_again_after_the_database_server_restarts(postgres: Any) -> None:
    ledger = Ledger(postgres.create_database())
    await asyncio.gather(*(ledger.find() for _ in range(5)))
    await asyncio.to_thread(postgres.restart)
    assert await ledger.find() == []
    await ledger.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("not a url", "DESK_DATABASE_URL is not the address of a database: write sqlite:"),
        (
            "mysql://ada:secret@db/desk",
            r"mysql://ada:\*\*\*@db/desk names a database that is not supported: write .*postgresql://",
        ),
        ("sqlite://", "a ledger in memory is lost"),
        ("sqlite+aiosqlite:///:memory:", "a ledger in memory is lost"),
        ("postgresql+asyncpg://ada:secret@127.0.0.1:1/desk", r"\*\*\*@127.0.0.1:1/desk cannot be .*DESK_DATABASE_URL"),
        ("postgres://ada@127.0.0.1:1/desk?password=secret", r"ada@127.0.0.1:1/desk cannot be .*DESK_DATABASE_URL"),
        ("postgresql://ada:secret@db/desk?port=many&host=x", "cannot be opened .*DESK_DATABASE_URL"),
    ],
)
async def test_the_error_for_an_unusable_database_never_shows_its_password(url: str, words: str) -> None:
    if url.startswith("postgres"):
        pytest.importorskip("asyncpg")
    await refused(url, words)


@pytest.mark.parametrize("parameters", ["sslmode=prefer", "sslmode=disable&application_name=desk", "ssl=prefer"])
async def test_a_ledger_accepts_postgres_urls_with_libpq_parameters(postgres: Any, parameters: str) -> None:
    url = postgres.create_database().replace("postgresql+asyncpg://", "postgres://")
    ledger = Ledger(f"{url}&{parameters}")
    assert await ledger.find() == []
    await ledger.close()


async def test_a_ledger_accepts_sqlite_urls_without_an_async_driver(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/a/ledger.db", f"sqlite+pysqlite:///{tmp_path}/a/ledger.db"):
        ledger = Ledger(url)
        assert await ledger.find() == []
        await ledger.close()
    assert (tmp_path / "a" / "ledger.db").is_file()


async def test_tls_parameters_of_the_url_reach_the_driver(postgres: Any) -> None:
    url = postgres.create_database()
    await refused(f"{url}&sslmode=verify-full&sslrootcert=/nowhere/root.crt", "No such file")
    await refused(f"{url}&sslmode=sometimes", "`sslmode` parameter must be one of")


async def test_the_error_names_a_wrong_password_or_a_missing_database(postgres: Any) -> None:
    url = make_url(postgres.create_database())
    await refused(url.set(password="secret").render_as_string(False), "password authentication failed")
    await refused(url.set(database="missing").render_as_string(False), 'database "missing" does not exist')


async def test_the_error_for_a_missing_driver_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    await refused("postgresql+asyncpg://ada:secret@db/desk", r"asyncpg: \S*pip install 'research-desk\[postgres\]'")


async def test_the_error_for_an_unusable_sqlite_file_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "noise.db").write_bytes(b"not a database at all" * 100)
    await refused(f"sqlite+aiosqlite:///{tmp_path}/file/ledger.db", "file.*DESK_DATA_DIR")
    await refused(f"sqlite+aiosqlite:///{tmp_path}/folder", "unable to open database file.*DESK_DATA_DIR")
    await refused(f"sqlite+aiosqlite:///{tmp_path}/noise.db", "not a database")


async def refused(url: str, words: str) -> None:
    with pytest.raises(LedgerError, match=words) as refusal:
        await Ledger(url).find()
    assert not {"secret", PASSWORD} & set(re.split(r"[^\w-]+", str(refusal.value)))
