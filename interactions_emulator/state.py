"""What the server remembers, in one SQLite file (or in memory), written as it happens."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from interactions_emulator.turn import Step, Turn

RUNNING = {"queued", "in_progress"}
"""Statuses of what goes on; every other one is an end."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS interactions (
    id TEXT PRIMARY KEY, previous TEXT, background INTEGER NOT NULL, head TEXT NOT NULL, input TEXT NOT NULL,
    turn TEXT, status TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL, usage TEXT, errors TEXT NOT
    NULL
);
CREATE TABLE IF NOT EXISTS steps (
    interaction TEXT NOT NULL, position INTEGER NOT NULL, step TEXT NOT NULL, PRIMARY KEY (interaction,
    position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    interaction TEXT NOT NULL, position INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (interaction,
    position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS creates (interaction TEXT NOT NULL, time REAL NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    start TEXT NOT NULL, time REAL NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, status INTEGER,
    interaction TEXT, kind TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS virtual_time (row INTEGER PRIMARY KEY CHECK (row = 1), now REAL NOT NULL);
"""


@dataclass
class Interaction:
    """One interaction: the stored resource, its input, and the events its streams consist of (one JSON line
    each)."""

    id: str
    background: bool
    head: dict[str, Any]
    """The request's fields that the resource repeats: model or agent, previous_interaction_id, tools, ..."""
    input: list[Step]
    turn: Turn | None
    """What the brain was asked; only while it is in progress."""
    created: float
    updated: float
    previous: str | None = None
    status: str = "in_progress"
    steps: list[Step] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    usage: dict[str, Any] | None = None
    errors: list[dict[str, str]] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        return self.status not in RUNNING


class State:
    """The tables. `path` is a file, or None for memory only. One thread, one connection."""

    def __init__(self, path: Path | None = None) -> None:
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        self._start = f"{time.time():.6f}"

    def close(self) -> None:
        self._db.close()

    def add(self, interaction: Interaction) -> None:
        """Store a new interaction with the events it has so far, and count it as created."""
        turn = json.dumps(asdict(interaction.turn)) if interaction.turn else None
        with self._db:
            self._db.execute(
                "INSERT INTO interactions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    interaction.id,
                    interaction.previous,
                    interaction.background,
                    json.dumps(interaction.head),
                    json.dumps(interaction.input),
                    turn,
                    interaction.status,
                    interaction.created,
                    interaction.updated,
                    None,
                    json.dumps(interaction.errors),
                ),
            )
            self._add_events(interaction.id, 0, interaction.events)
            self._count(interaction.id)

    def count_create(self, interaction_id: str) -> None:
        """Count an interaction that is not stored as created."""
        with self._db:
            self._count(interaction_id)

    def add_step(self, interaction: Interaction, new_events: int) -> None:
        """Store the last step of `interaction` and the last `new_events` events, all or nothing."""
        with self._db:
            position = len(interaction.steps) - 1
            self._db.execute(
                "INSERT INTO steps VALUES (?, ?, ?)",
                (interaction.id, position, json.dumps(interaction.steps[position])),
            )
            self._add_events(interaction.id, len(interaction.events) - new_events, interaction.events)
            self._db.execute("UPDATE interactions SET updated = ? WHERE id = ?", (interaction.updated, interaction.id))

    def finish(self, interaction: Interaction, new_events: int) -> None:
        """Store the end with the last `new_events` events, and forget what the brain was asked."""
        with self._db:
            self._add_events(interaction.id, len(interaction.events) - new_events, interaction.events)
            self._db.execute(
                "UPDATE interactions SET status = ?, updated = ?, usage = ?, errors = ?, turn = NULL WHERE id = ?",
                (
                    interaction.status,
                    interaction.updated,
                    json.dumps(interaction.usage),
                    json.dumps(interaction.errors),
                    interaction.id,
                ),
            )

    def get(self, interaction_id: str) -> Interaction | None:
        row = self._db.execute("SELECT * FROM interactions WHERE id = ?", (interaction_id,)).fetchone()
        return self._interaction(row) if row else None

    def delete(self, interaction_id: str) -> None:
        with self._db:
            for table, key in (("interactions", "id"), ("steps", "interaction"), ("events", "interaction")):
                self._db.execute(f"DELETE FROM {table} WHERE {key} = ?", (interaction_id,))

    def interactions(self) -> list[Interaction]:
        """Return all that is stored, oldest first."""
        return [self._interaction(row) for row in self._db.execute("SELECT * FROM interactions ORDER BY rowid")]

    def unfinished(self) -> list[Interaction]:
        """Return what is in progress, oldest first."""
        rows = self._db.execute("SELECT * FROM interactions WHERE turn IS NOT NULL ORDER BY rowid").fetchall()
        return [self._interaction(row) for row in rows]

    def creates(self) -> int:
        """Return how many creates were ever accepted, stored or not, deleted since or not."""
        return int(self._db.execute("SELECT count(*) FROM creates").fetchone()[0])

    def add_request(self, method: str, path: str, status: int | None, interaction_id: str | None, kind: str) -> None:
        """Log an answered request; `status` None says that the connection was closed instead."""
        with self._db:
            self._db.execute(
                "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?)",
                (self._start, time.time(), method, path, status, interaction_id, kind),
            )

    def requests(self) -> list[dict[str, Any]]:
        """Return the log since this state was opened, oldest first."""
        names = ("time", "method", "path", "status", "interaction_id", "kind")
        rows = self._db.execute(
            "SELECT time, method, path, status, interaction, kind FROM requests WHERE start = ? ORDER BY rowid",
            (self._start,),
        )
        return [dict(zip(names, row, strict=True)) for row in rows]

    def virtual_time(self) -> float | None:
        """Return the latest virtual time that anything here knows of, or None in an empty state."""
        latest = "SELECT max(now) FROM (SELECT now FROM virtual_time UNION ALL SELECT updated FROM interactions)"
        value = self._db.execute(latest).fetchone()[0]
        return None if value is None else float(value)

    def set_virtual_time(self, now: float) -> None:
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO virtual_time VALUES (1, ?)", (now,))

    def _count(self, interaction_id: str) -> None:
        self._db.execute("INSERT INTO creates VALUES (?, ?)", (interaction_id, time.time()))

    def _add_events(self, interaction_id: str, begin: int, events: list[str]) -> None:
        rows = [(interaction_id, position, events[position]) for position in range(begin, len(events))]
        self._db.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)

    def _interaction(self, row: Any) -> Interaction:
        interaction_id, previous, background, head, given, turn, status, created, updated, usage, errors = row
        steps = self._db.execute("SELECT step FROM steps WHERE interaction = ? ORDER BY position", (interaction_id,))
        events = self._db.execute("SELECT event FROM events WHERE interaction = ? ORDER BY position", (interaction_id,))
        return Interaction(
            id=interaction_id,
            background=bool(background),
            head=json.loads(head),
            input=json.loads(given),
            turn=_turn(json.loads(turn)) if turn else None,
            created=created,
            updated=updated,
            previous=previous,
            status=status,
            steps=[json.loads(step) for (step,) in steps],
            events=[event for (event,) in events],
            usage=json.loads(usage) if usage else None,
            errors=json.loads(errors),
        )


def _turn(stored: dict[str, Any]) -> Turn:
    return Turn(**stored | {"steps": tuple(stored["steps"]), "tools": tuple(stored["tools"])})
