"""The state file: JSON records by kind and key, in SQLite, kept across restarts of the server."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1
"""Version of the schema."""
_SCHEMA = "CREATE TABLE records (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (kind, key))"

Record = tuple[str, str, Any]
"""Kind, key and value. The value is JSON or a dataclass of JSON values; None deletes the record."""


class JournalError(Exception):
    """The state file cannot be used; the message says why and what to do."""


class Journal:
    """The records in the state file; if `path` is None, nothing is stored. Used by one server, on one thread.

    In `with journal:`, which can be nested, all writes wait for the end and are one transaction. Of the values of one
    record only the last is written. What cannot be written, because the disk is full, is written with the next change.

    Raises:
        JournalError: another server has the file open, or the file is not a state file of this server.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._db: sqlite3.Connection | None = None
        self._depth = 0
        self._waiting: dict[tuple[str, str], Any] = {}
        if path is None:
            return
        if not path.parent.is_dir():  # the lock would create it
            raise JournalError(f"there is no folder {path.parent} for the state file: create it, or name another file")
        self._lock = filelock.FileLock(path.parent / f"{path.name}.lock")
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            if not Path(self._lock.lock_file).exists():  # filelock takes this error for a lock of another process
                raise JournalError(
                    f"{path} cannot be used as a state file (no file can be created in {path.parent}): name another"
                ) from error
            raise JournalError(
                f"{path} is in use by another emulator: stop that one, or give this one another state file"
            ) from error
        except OSError as error:
            raise JournalError(
                f"{path} cannot be used as a state file ({error.strerror}): name a file in a folder that can be written"
            ) from error
        try:
            self._db = _open(path)
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        if self._db:
            if self._waiting:
                self._write_waiting()
            self._db.close()
            self._lock.release()

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *error: object) -> None:
        self._depth -= 1
        if self._waiting and not self._depth:
            self._write_waiting()

    def write(self, *records: Record) -> None:
        """Write or delete records in one transaction. A record that is written again keeps its place in the order."""
        if self._db is None:
            return
        self._waiting.update(((kind, key), value) for kind, key, value in records)
        if not self._depth:
            self._write_waiting()

    def _write_waiting(self) -> None:
        assert self._db
        records, self._waiting = self._waiting, {}
        try:
            with self._db:
                for name, value in records.items():
                    self._write_record(self._db, name, value)
        except sqlite3.OperationalError as error:  # a full disk, or another program that locks the file
            logger.error("the state file cannot be written (%s): it is tried again with the next change", error)
            self._waiting = records | self._waiting

    @staticmethod
    def _write_record(db: sqlite3.Connection, name: tuple[str, str], value: Any) -> None:
        if value is None:
            db.execute("DELETE FROM records WHERE kind = ? AND key = ?", name)
        else:
            db.execute(
                "INSERT INTO records VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                (*name, json.dumps(value, default=vars)),
            )

    def read(self, kind: str) -> Iterator[tuple[str, Any]]:
        """Yield key and value of all records of a kind, oldest first."""
        if self._db:
            for key, value in self._db.execute("SELECT key, value FROM records WHERE kind = ? ORDER BY rowid", (kind,)):
                yield key, json.loads(value)


def _open(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, check_same_thread=False)
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if tables and (tables != {"records"} or version != SCHEMA_VERSION):
            raise JournalError(f"{path} is not a state file of this version: move it away, or name another file")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        if not tables:
            with db:
                db.execute(_SCHEMA)
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except sqlite3.DatabaseError as error:
        raise JournalError(f"{path} cannot be used as a state file ({error}): name another one") from error
    return db
