"""Adds schedules, and columns for them in jobs and spending entries."""

from __future__ import annotations

from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Adds the table of schedules, and columns of jobs and spending entries with their indexes."""
    for statement in (
        """
        CREATE TABLE desk_schedules (
            id TEXT PRIMARY KEY,
            "key" TEXT NOT NULL UNIQUE,
            "user" TEXT NOT NULL,
            "session" TEXT NOT NULL,
            brief TEXT NOT NULL,
            title TEXT NOT NULL,
            agent TEXT NOT NULL,
            options TEXT NOT NULL,
            notify TEXT NOT NULL,
            server TEXT NOT NULL,
            cron TEXT NOT NULL,
            zone TEXT NOT NULL,
            max_usd DOUBLE PRECISION NOT NULL,
            status TEXT NOT NULL,
            created DOUBLE PRECISION NOT NULL,
            due DOUBLE PRECISION,
            last_job TEXT NOT NULL DEFAULT '',
            held TEXT NOT NULL DEFAULT ''
        )
        """,
        'CREATE INDEX ix_desk_schedules_user ON desk_schedules ("user")',
        "CREATE INDEX ix_desk_schedules_due ON desk_schedules (due)",
        "ALTER TABLE research_jobs ADD COLUMN schedule TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE research_jobs ADD COLUMN due DOUBLE PRECISION",
        "ALTER TABLE research_jobs ADD COLUMN changes TEXT",
        # At most one run for each due time, whichever process orders it.
        "CREATE UNIQUE INDEX ix_research_jobs_schedule_due ON research_jobs (schedule, due) WHERE due IS NOT NULL",
        "ALTER TABLE desk_spending ADD COLUMN schedule TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX ix_desk_spending_schedule_time ON desk_spending (schedule, \"time\") WHERE schedule <> ''",
    ):
        connection.exec_driver_sql(statement)
