"""A look at the ledger that takes milliseconds: SQLAlchemy, asyncio and the rest take half a second to load."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tools.research.job import Job
from tools.research.rows import UnreadableJob, job_of
from tools.settings import SettingsError, load_settings

_JOBS = """
SELECT id, "user", "session", brief, agent, options, attempt, state, created, updated, interaction_id, "cursor", events,
       finished, usage, error, line, plan, inputs, cost, server, follow_ups, base, previous, started, trace, title,
       may_run
FROM research_jobs
"""


def newest(limit: int = 100) -> list[Job] | None:
    """Jobs, newest first. None where only the ledger itself can tell, or say why it cannot."""
    return _read(f"{_JOBS} ORDER BY created DESC LIMIT ?", limit)


def one(job_id: str) -> Job | None:
    """The job with that id. None if there is none, or as above."""
    found = _read(f"{_JOBS} WHERE id = ?", job_id)
    return found[0] if found else None


def _read(query: str, value: str | int) -> list[Job] | None:
    try:
        settings = load_settings()
        if settings.database_url:
            return None
        # Opened for writing, since what readers share is a file too; it is not made if it is missing.
        with closing(sqlite3.connect(f"{settings.ledger_file.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [job_of(dict(row)) for row in connection.execute(query, (value,))]
    except (SettingsError, sqlite3.Error, UnreadableJob):  # not there, of another version, locked, with a bad row
        return None
