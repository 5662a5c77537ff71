"""Creates the tables of the first release. Adds missing tables and columns to a ledger of a development version."""

from __future__ import annotations

from sqlalchemy import Connection, inspect

JOB_COLUMNS = {
    "id": "TEXT PRIMARY KEY",
    '"key"': "TEXT NOT NULL UNIQUE",
    '"user"': "TEXT NOT NULL",
    '"session"': "TEXT NOT NULL",
    "brief": "TEXT NOT NULL",
    "agent": "TEXT NOT NULL",
    "options": "TEXT NOT NULL",
    "attempt": "INTEGER NOT NULL",
    "state": "TEXT NOT NULL",
    "created": "DOUBLE PRECISION NOT NULL",
    "updated": "DOUBLE PRECISION NOT NULL",
    "interaction_id": "TEXT",
    '"cursor"': "TEXT",
    "events": "INTEGER NOT NULL",
    "finished": "DOUBLE PRECISION",
    '"usage"': "TEXT NOT NULL",
    "error": "TEXT NOT NULL",
    "report": "TEXT",
    "owner": "TEXT",
    "lease_until": "DOUBLE PRECISION",
    "line": "TEXT NOT NULL DEFAULT ''",
    '"plan"': "TEXT",
    "inputs": "TEXT NOT NULL DEFAULT '[]'",
    "cost": "DOUBLE PRECISION NOT NULL DEFAULT 0",
    "server": "TEXT NOT NULL DEFAULT ''",
    "follow_ups": "TEXT NOT NULL DEFAULT '[]'",
    "base": "TEXT NOT NULL DEFAULT ''",
    "previous": "TEXT NOT NULL DEFAULT ''",
    "started": "DOUBLE PRECISION",
    "trace": "TEXT NOT NULL DEFAULT ''",
    "title": "TEXT NOT NULL DEFAULT ''",
    "may_run": "INTEGER NOT NULL DEFAULT 0",
}
TABLES = {
    "research_jobs": ", ".join(f"{name} {definition}" for name, definition in JOB_COLUMNS.items()),
    "research_lines": """
        job TEXT NOT NULL,
        interaction_id TEXT NOT NULL,
        number INTEGER NOT NULL,
        line TEXT NOT NULL,
        PRIMARY KEY (job, interaction_id, number)
    """,
    "desk_turns": "id TEXT PRIMARY KEY, owner TEXT NOT NULL, lease_until DOUBLE PRECISION NOT NULL",
    "desk_hints": "id TEXT PRIMARY KEY, received DOUBLE PRECISION NOT NULL",
    "desk_tasks": """
        id VARCHAR(36) PRIMARY KEY,
        context_id VARCHAR(128) NOT NULL,
        kind VARCHAR(16) NOT NULL,
        owner VARCHAR(255),
        last_updated TIMESTAMP,
        status JSON NOT NULL,
        artifacts JSON,
        history JSON,
        protocol_version VARCHAR(16),
        metadata JSON
    """,
    "desk_pushes": """
        task_id VARCHAR(36) NOT NULL,
        config_id VARCHAR(255) NOT NULL,
        config_data BYTEA NOT NULL,
        owner VARCHAR(255),
        protocol_version VARCHAR(16),
        PRIMARY KEY (task_id, config_id)
    """,
    "desk_spending": """
        job TEXT NOT NULL,
        number INTEGER NOT NULL,
        "time" DOUBLE PRECISION NOT NULL,
        "user" TEXT NOT NULL,
        kind TEXT NOT NULL,
        agent TEXT NOT NULL,
        estimate DOUBLE PRECISION NOT NULL,
        refused INTEGER NOT NULL DEFAULT 0,
        may_run_until DOUBLE PRECISION,
        "usage" TEXT NOT NULL DEFAULT '{}',
        PRIMARY KEY (job, number)
    """,
    "desk_questions": """
        "user" TEXT NOT NULL,
        "session" TEXT NOT NULL,
        subject TEXT NOT NULL,
        action TEXT NOT NULL,
        version TEXT NOT NULL,
        invocation TEXT NOT NULL,
        PRIMARY KEY ("user", "session", subject)
    """,
    "desk_answers": "id TEXT PRIMARY KEY",  # ids of used answers
}
INDEXES = {
    "ix_research_jobs_session": 'research_jobs ("session")',
    "ix_research_jobs_user_created": 'research_jobs ("user", created)',
    "ix_research_jobs_state": "research_jobs (state)",
    "ix_research_jobs_interaction": "research_jobs (interaction_id)",
    "ix_desk_tasks_owner_last_updated": "desk_tasks (owner, last_updated)",
    "ix_desk_spending_user_time": 'desk_spending ("user", "time")',
}
_FILL = {
    "research_lines": """
        INSERT INTO research_lines (job, interaction_id, number, line)
        SELECT id, interaction_id, 1, line FROM research_jobs WHERE line <> '' AND interaction_id IS NOT NULL
    """,
    # Runs that were started before the ledger recorded spending.
    "desk_spending": """
        INSERT INTO desk_spending (job, number, "time", "user", kind, agent, estimate, "usage")
        SELECT id, 1, created, "user", 'run', agent, cost, "usage" FROM research_jobs
        WHERE interaction_id IS NOT NULL OR state IN ('starting', 'start_unknown')
    """,
}
"""Statements that fill a table after it was added to an older ledger."""


def upgrade(connection: Connection) -> None:
    """Creates all tables and indexes that are missing."""
    execute = connection.exec_driver_sql
    inspector = inspect(connection)
    known = set(inspector.get_table_names())
    if "research_jobs" in known:
        columns = {column["name"] for column in inspector.get_columns("research_jobs")}
        for name, definition in JOB_COLUMNS.items():
            if name.strip('"') not in columns:
                execute(f"ALTER TABLE research_jobs ADD COLUMN {name} {definition}")
        execute("DROP INDEX IF EXISTS ix_research_jobs_user")  # another index begins with the user too
    for name, definition in TABLES.items():
        if name not in known:
            execute(f"CREATE TABLE {name} ({definition})")
            if name in _FILL:
                execute(_FILL[name])
    inspector = inspect(connection)
    indexed = {index["name"] for table in TABLES for index in inspector.get_indexes(table)}
    for name, target in INDEXES.items():
        if name not in indexed:
            execute(f"CREATE INDEX {name} ON {target}")
    if "research_migrations" in known:  # shows an older program that the ledger is newer
        execute("INSERT INTO research_migrations (number) VALUES (11)")
