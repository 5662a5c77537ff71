"""The migrations of the ledger's database: one module each, applied in the order of their numbers, never edited.

To add one, write `mNNN_what_it_does.py` with a function `upgrade(connection)` in SQL for both SQLite and PostgreSQL,
and add it at the end of `MIGRATIONS`.
"""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from tools.research.migrations import m001_baseline, m002_spending_server, m003_notices, m004_secrets, m005_schedules

MIGRATIONS = (m001_baseline, m002_spending_server, m003_notices, m004_secrets, m005_schedules)
LATEST = len(MIGRATIONS)
"""Version of a database to which all migrations were applied."""

_LOCK = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(7326110523)",  # an arbitrary number, the same in all processes
}


def migrate(connection: Connection) -> int:
    """Applies the missing migrations, each once, even if several processes start at the same time.

    Returns:
        The version of the database: `LATEST`, or a higher one from a newer program.
    """
    with connection.begin():  # this only reads, so it takes no lock if no migration is missing
        version = _version(connection)
        if connection.dialect.name == "sqlite":
            with suppress(OperationalError):  # another process has the lock
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")  # stays set; readers do not wait for writers
    if version >= LATEST:
        return version
    with connection.begin():
        connection.exec_driver_sql(_LOCK[connection.dialect.name])
        version = _version(connection)  # another process may have been first
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS desk_migrations (number INTEGER PRIMARY KEY)")
        for number, migration in enumerate(MIGRATIONS[version:], version + 1):
            migration.upgrade(connection)
            connection.execute(text("INSERT INTO desk_migrations (number) VALUES (:number)"), {"number": number})
    return max(version, LATEST)


def _version(connection: Connection) -> int:
    """Number of the last applied migration; 0 if there is none."""
    if not inspect(connection).has_table("desk_migrations"):
        return 0
    return int(connection.execute(text("SELECT coalesce(max(number), 0) FROM desk_migrations")).scalar_one())
