"""Adds the server to spending entries, since prices on the emulator are not paid."""

from __future__ import annotations

from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Adds the column; entries of jobs that were deleted keep an empty name."""
    connection.exec_driver_sql("ALTER TABLE desk_spending ADD COLUMN server TEXT NOT NULL DEFAULT ''")
    connection.exec_driver_sql(
        "UPDATE desk_spending SET server = (SELECT server FROM research_jobs WHERE id = desk_spending.job)"
        " WHERE EXISTS (SELECT 1 FROM research_jobs WHERE id = desk_spending.job)"
    )
