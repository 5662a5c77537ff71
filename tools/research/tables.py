"""The tables of the ledger, as SQLAlchemy sees them."""

from __future__ import annotations

from sqlalchemy import Column, Dialect, Float, Integer, MetaData, Table, Text, TypeDecorator, literal

from tools.text.unsafe_characters import sanitize


class SafeText(TypeDecorator[str]):
    """Text that is sanitized so that every database accepts it, because a command line may contain any bytes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else sanitize(value)


# The migrations create these columns.
metadata = MetaData()
TASKS = Table("desk_tasks", metadata, Column("id", SafeText), Column("owner", SafeText), Column("context_id", SafeText))
PUSHES = Table("desk_pushes", metadata, Column("task_id", SafeText))
JOBS = Table(
    "research_jobs",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("key", SafeText, nullable=False),
    Column("user", SafeText, nullable=False),
    Column("session", SafeText, nullable=False),
    Column("brief", SafeText, nullable=False),
    Column("agent", SafeText, nullable=False),
    Column("options", SafeText, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("state", SafeText, nullable=False),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Column("interaction_id", SafeText),
    Column("cursor", SafeText),
    Column("events", Integer, nullable=False),
    Column("finished", Float),
    Column("usage", SafeText, nullable=False),
    Column("error", SafeText, nullable=False),
    Column("report", SafeText),
    Column("owner", SafeText),
    Column("lease_until", Float),
    Column("line", SafeText, nullable=False),
    Column("plan", SafeText),
    Column("inputs", SafeText, nullable=False),
    Column("cost", Float, nullable=False),
    Column("server", SafeText, nullable=False),
    Column("follow_ups", SafeText, nullable=False),
    Column("base", SafeText, nullable=False),
    Column("previous", SafeText, nullable=False),
    Column("started", Float),
    Column("trace", SafeText, nullable=False),
    Column("title", SafeText, nullable=False),
    Column("may_run", Integer, nullable=False),
    Column("notify", SafeText, nullable=False),
    Column("schedule", SafeText, nullable=False),
    Column("due", Float),
    Column("changes", SafeText),
)
LINES = Table(
    "research_lines",
    metadata,
    Column("job", SafeText, primary_key=True),
    Column("interaction_id", SafeText, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("line", SafeText),
)
SPENDING = Table(
    "desk_spending",
    metadata,
    Column("job", SafeText, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("time", Float),
    Column("user", SafeText),
    Column("kind", SafeText),
    Column("agent", SafeText),
    Column("estimate", Float),
    Column("refused", Integer),
    Column("may_run_until", Float),
    Column("usage", SafeText),
    Column("server", SafeText),
    Column("schedule", SafeText),
)
QUESTIONS = Table(
    "desk_questions",
    metadata,
    Column("user", SafeText, primary_key=True),
    Column("session", SafeText, primary_key=True),
    Column("subject", SafeText, primary_key=True),
    Column("action", SafeText),
    Column("version", SafeText),
    Column("invocation", SafeText),
)
SECRETS = Table("desk_secrets", metadata, Column("name", SafeText, primary_key=True), Column("value", SafeText))
NOTICES = Table(
    "desk_notices",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("target", SafeText, primary_key=True),
    Column("job", SafeText),
    Column("state", SafeText),
    Column("created", Float),
    Column("due", Float),
    Column("attempts", Integer),
    Column("ended", Float),
    Column("error", SafeText),
)
SCHEDULES = Table(
    "desk_schedules",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("key", SafeText),
    Column("user", SafeText),
    Column("session", SafeText),
    Column("brief", SafeText),
    Column("title", SafeText),
    Column("agent", SafeText),
    Column("options", SafeText),
    Column("notify", SafeText),
    Column("server", SafeText),
    Column("cron", SafeText),
    Column("zone", SafeText),
    Column("max_usd", Float),
    Column("status", SafeText),
    Column("created", Float),
    Column("due", Float),
    Column("last_job", SafeText),
    Column("held", SafeText),
)
ANSWERS = Table("desk_answers", metadata, Column("id", SafeText, primary_key=True))
JOB_COLUMNS = [column for column in JOBS.columns if column.name != "report"]
"""All columns of a job except the report, which may be large."""
LISTED_COLUMNS = [column for column in JOB_COLUMNS if column.name != "inputs"] + [literal("[]").label("inputs")]
"""The columns of a job in a list, without the content of its files: each may have megabytes."""
