"""Stores the verdicts on a file's rows: in a SQLite table while a batch runs, as JSON lines when it ends.

A batch that is stopped writes the verdicts so far. After a batch is killed, the next batch continues from the table.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.files.atomic_file import replaceable, written_whole
from tools.moderation.input_file import FileProblem, Row
from tools.moderation.judge import NotModerated
from tools.moderation.verdict import Verdict

_TABLE = "CREATE TABLE IF NOT EXISTS verdicts (number INTEGER PRIMARY KEY, hash TEXT, entry TEXT NOT NULL)"
"""`hash`: hash of the judged text; NULL if judging failed."""
Entry = dict[str, Any]
"""A line of the file: `{"row": 1, "hash": "…", "verdict": {…}}`, or the same with `error` instead of `verdict`."""


@dataclass
class Summary:
    """Counts of the verdicts in a file."""

    categories: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    empty: int = 0
    problem: str = ""
    """The reason why the first row that failed could not be judged."""

    @property
    def judged(self) -> int:
        return self.categories.total()

    @property
    def flagged(self) -> int:
        return self.judged - self.categories["safe"]

    def as_data(self) -> dict[str, Any]:
        """Returns the counts as a JSON object."""
        share = round(self.flagged / self.judged, 4) if self.judged else 0.0
        counts = {"judged": self.judged, "flagged": self.flagged, "flagged_share": share}
        return {**counts, "categories": dict(self.categories), "failed": self.failed, "empty": self.empty}


class VerdictStore:
    """The verdicts of the file `path`, open for writing. Until `close`, the verdicts are in `<path>.partial`."""

    judged_before: int
    """Number of rows that had a verdict when the file was opened."""

    def __init__(self, path: Path) -> None:
        """Raises:
        FileProblem: the file cannot be written, or contains anything other than verdicts.
        """
        self._path, self._partial = path, path.with_name(f"{path.name}.partial")
        new = not self._partial.exists()
        try:
            replaceable(path)
            self._partial.touch()
        except OSError as error:
            raise FileProblem(f"{path}: {error.strerror}") from None
        self._database = sqlite3.connect(self._partial, isolation_level=None)
        try:
            self._load()
        except (OSError, sqlite3.Error, FileProblem) as error:
            self._database.close()
            if new:
                self._partial.unlink()
            if isinstance(error, FileProblem):
                raise
            if isinstance(error, OSError):
                raise FileProblem(f"{path}: {error.strerror}") from None
            raise FileProblem(f"{self._partial}: {error}; move the file away, or name another with --out") from None
        [(self.judged_before,)] = self._database.execute("SELECT count(hash) FROM verdicts")

    def _load(self) -> None:
        """Fills the table from an existing output file, unless a killed batch has left rows in the table."""
        self._database.execute("BEGIN")
        self._database.execute(_TABLE)
        if not self._database.execute("SELECT 1 FROM verdicts").fetchone():
            self._database.executemany("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?)", self._lines())
        self._database.execute("COMMIT")

    def has(self, row: Row) -> bool:
        """Whether this row, with this text, was judged."""
        query = "SELECT 1 FROM verdicts WHERE number = ? AND hash = ?"
        return self._database.execute(query, (row.number, row.digest)).fetchone() is not None

    def write(self, row: Row, outcome: Verdict | NotModerated | None) -> None:
        """Stores the outcome of a row (None: the row has no text) so that it survives the end of the process.

        Raises:
            FileProblem: the outcome cannot be stored, for example because the disk is full.
        """
        entry: Entry = {"row": row.number, **({"id": row.id} if row.id is not None else {}), "hash": row.digest}
        if isinstance(outcome, NotModerated):
            entry["error"] = {"code": outcome.code, "message": str(outcome)}
        else:
            entry["verdict"] = outcome.model_dump() if outcome else None
        try:
            self._database.execute("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?)", _values(entry))
        except sqlite3.Error as error:
            raise FileProblem(f"{self._partial}: {error}") from None

    def close(self, rows: int | None = None) -> Summary:
        """Writes the file atomically, with one line per row in the order of rows; returns the counts.

        No file is made if no row has an outcome.

        Args:
            rows: number of rows of the input, or None if it is not known. Lines of higher rows are dropped.

        Raises:
            FileProblem: the file cannot be written.
        """
        summary = Summary()
        try:
            if self._path.exists() or self._database.execute("SELECT 1 FROM verdicts").fetchone():
                self._write_lines(rows, summary)
        except OSError as error:
            raise FileProblem(f"{self._path}: {error.strerror}; the verdicts are in {self._partial}") from None
        self._database.close()
        self._partial.unlink()
        return summary

    def _write_lines(self, rows: int | None, summary: Summary) -> None:
        query = "SELECT entry FROM verdicts WHERE ? IS NULL OR number <= ? ORDER BY number"
        with written_whole(self._path) as temporary, temporary.open("w", encoding="utf-8") as file:
            for (line,) in self._database.execute(query, (rows, rows)):
                _count(json.loads(line), summary)
                file.write(f"{line}\n")

    def _lines(self) -> Iterator[tuple[int, str | None, str]]:
        """Reads the output of an earlier batch, and yields one row of the table per line."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n") and line.startswith(b'{"row": '[: len(line)]):
                    return  # an incomplete last line: a process died while it wrote
                try:
                    yield _values(json.loads(line))
                except (ValueError, KeyError, TypeError, AttributeError):
                    what = f"{self._path}: line {number} is not a verdict of a row"
                    raise FileProblem(f"{what}; move the file away, or name another with --out") from None


def _values(entry: Entry) -> tuple[int, str | None, str]:
    """Returns the values of an entry's row in the table: number, hash and JSON.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: the entry is not a verdict on a row.
    """
    judged = "error" not in entry
    if judged:
        int(entry["hash"], 16)
    if judged and entry["verdict"] is not None:
        Verdict.model_validate(entry["verdict"])
    if not isinstance(entry["row"], int) or not 1 <= entry["row"] < 2**63:
        raise ValueError("rows are counted from 1")
    return entry["row"], entry["hash"] if judged else None, json.dumps(entry)


def _count(entry: dict[str, Any], summary: Summary) -> None:
    if "error" in entry:
        summary.failed += 1
        summary.problem = summary.problem or f"row {entry['row']}: {entry['error']['message']}"
    elif entry["verdict"] is None:
        summary.empty += 1
    else:
        summary.categories[entry["verdict"]["category"]] += 1
