"""The statements that made the ledger's tables before the first release, by version."""

from __future__ import annotations

from collections.abc import Sequence

STEPS: Sequence[tuple[int, Sequence[str]]] = (
    (
        1,
        (
            """
            CREATE TABLE research_jobs (
                id TEXT PRIMARY KEY,
                "key" TEXT NOT NULL UNIQUE,
                "user" TEXT NOT NULL,
                "session" TEXT NOT NULL,
                brief TEXT NOT NULL,
                agent TEXT NOT NULL,
                options TEXT NOT NULL,
                attempt INTEGER NOT NULL,
                state TEXT NOT NULL,
                created DOUBLE PRECISION NOT NULL,
                updated DOUBLE PRECISION NOT NULL,
                interaction_id TEXT,
                "cursor" TEXT,
                events INTEGER NOT NULL,
                finished DOUBLE PRECISION,
                "usage" TEXT NOT NULL,
                error TEXT NOT NULL,
                report TEXT
            )
            """,
            'CREATE INDEX ix_research_jobs_user ON research_jobs ("user")',
            'CREATE INDEX ix_research_jobs_session ON research_jobs ("session")',
        ),
    ),
    (
        2,
        (
            "ALTER TABLE research_jobs ADD COLUMN owner TEXT",
            "ALTER TABLE research_jobs ADD COLUMN lease_until DOUBLE PRECISION",
            "ALTER TABLE research_jobs ADD COLUMN line TEXT NOT NULL DEFAULT ''",
            'ALTER TABLE research_jobs ADD COLUMN "plan" TEXT',
            "ALTER TABLE research_jobs ADD COLUMN inputs TEXT NOT NULL DEFAULT '[]'",
            "ALTER TABLE research_jobs ADD COLUMN cost DOUBLE PRECISION NOT NULL DEFAULT 0",
        ),
    ),
    (
        3,
        (
            'CREATE INDEX ix_research_jobs_user_created ON research_jobs ("user", created)',
            "DROP INDEX IF EXISTS ix_research_jobs_user",  # the new index begins with the user too
        ),
    ),
    (
        4,
        (
            """
            CREATE TABLE research_lines (
                job TEXT NOT NULL,
                interaction_id TEXT NOT NULL,
                number INTEGER NOT NULL,
                line TEXT NOT NULL,
                PRIMARY KEY (job, interaction_id, number)
            )
            """,
            """
            INSERT INTO research_lines (job, interaction_id, number, line)
            SELECT id, interaction_id, 1, line FROM research_jobs WHERE line <> '' AND interaction_id IS NOT NULL
            """,
            "CREATE INDEX ix_research_jobs_state ON research_jobs (state)",
            "ALTER TABLE research_jobs ADD COLUMN server TEXT NOT NULL DEFAULT ''",
        ),
    ),
    (
        5,
        (
            "ALTER TABLE research_jobs ADD COLUMN follow_ups TEXT NOT NULL DEFAULT '[]'",
            "ALTER TABLE research_jobs ADD COLUMN base TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE research_jobs ADD COLUMN previous TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE research_jobs ADD COLUMN started DOUBLE PRECISION",
        ),
    ),
    (
        6,
        (
            """
            CREATE TABLE desk_turns (
                id TEXT PRIMARY KEY,
                owner TEXT NOT NULL,
                lease_until DOUBLE PRECISION NOT NULL
            )
            """,
            """
            CREATE TABLE desk_hints (
                id TEXT PRIMARY KEY,
                received DOUBLE PRECISION NOT NULL
            )
            """,
            "CREATE INDEX ix_research_jobs_interaction ON research_jobs (interaction_id)",
        ),
    ),
    (7, ("ALTER TABLE research_jobs ADD COLUMN trace TEXT NOT NULL DEFAULT ''",)),
    (
        8,
        (
            """
            CREATE TABLE desk_tasks (
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
            )
            """,
            "CREATE INDEX ix_desk_tasks_owner_last_updated ON desk_tasks (owner, last_updated)",
        ),
    ),
    (
        9,
        (
            """
            CREATE TABLE desk_pushes (
                task_id VARCHAR(36) NOT NULL,
                config_id VARCHAR(255) NOT NULL,
                config_data BYTEA NOT NULL,
                owner VARCHAR(255),
                protocol_version VARCHAR(16),
                PRIMARY KEY (task_id, config_id)
            )
            """,
        ),
    ),
    (
        10,
        (
            "ALTER TABLE research_jobs ADD COLUMN title TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE research_jobs ADD COLUMN may_run INTEGER NOT NULL DEFAULT 0",
            """
            CREATE TABLE desk_spending (
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
            )
            """,
            'CREATE INDEX ix_desk_spending_user_time ON desk_spending ("user", "time")',
            # Creates from before this table existed.
            """
            INSERT INTO desk_spending (job, number, "time", "user", kind, agent, estimate, "usage")
            SELECT id, 1, created, "user", 'run', agent, cost, "usage" FROM research_jobs
            WHERE interaction_id IS NOT NULL OR state IN ('starting', 'start_unknown')
            """,
            """
            CREATE TABLE desk_questions (
                "user" TEXT NOT NULL,
                "session" TEXT NOT NULL,
                subject TEXT NOT NULL,
                action TEXT NOT NULL,
                version TEXT NOT NULL,
                invocation TEXT NOT NULL,
                PRIMARY KEY ("user", "session", subject)
            )
            """,
            "CREATE TABLE desk_answers (id TEXT PRIMARY KEY)",  # used answers
        ),
    ),
)


def made_by(version: int) -> list[str]:
    """All statements that a program of this version executes on an empty database."""
    return [
        *(statement for number, statements in STEPS if number <= version for statement in statements),
        "CREATE TABLE research_migrations (number INTEGER PRIMARY KEY)",
        *(f"INSERT INTO research_migrations (number) VALUES ({number})" for number in range(1, version + 1)),
    ]
