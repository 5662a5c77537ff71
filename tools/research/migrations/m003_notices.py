"""Adds the targets of a job's notices, and the notices that wait or were sent."""

from __future__ import annotations

from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Adds a column to jobs, and the table of notices with its indexes."""
    for statement in (
        "ALTER TABLE research_jobs ADD COLUMN notify TEXT NOT NULL DEFAULT '[]'",
        """
        CREATE TABLE desk_notices (
            id TEXT NOT NULL,
            target TEXT NOT NULL,
            job TEXT NOT NULL,
            state TEXT NOT NULL,
            created DOUBLE PRECISION NOT NULL,
            due DOUBLE PRECISION NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            ended DOUBLE PRECISION,
            error TEXT NOT NULL DEFAULT '',
            PRIMARY KEY (id, target)
        )
        """,
        "CREATE INDEX ix_desk_notices_job ON desk_notices (job)",
        "CREATE INDEX ix_desk_notices_due ON desk_notices (due) WHERE ended IS NULL",
    ):
        connection.exec_driver_sql(statement)
