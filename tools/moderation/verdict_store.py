"""Stores the verdicts on a file's rows as JSON lines: appended as they come, and sorted at the end.

A batch that is stopped or killed leaves complete lines and at most one incomplete line, so the next one continues
after them. Memory holds two numbers per row: the position of its line, and the hash of its text.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.moderation.input_file import FileProblem, Row
from tools.moderation.judge import NotModerated
from tools.moderation.verdict import Verdict

NOTHING = 0
"""Stored instead of a hash: the row has no verdict yet."""


@dataclass
class Summary:
    """Counts of the verdicts in a file."""

    categories: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    empty: int = 0

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
    """The file of verdicts at `path`, open for writing."""

    def __init__(self, path: Path) -> None:
        """Raises:
        FileProblem: the file cannot be written, or contains anything other than verdicts.
        """
        self._path = path
        self._at, self._hashes = array("Q"), array("Q")
        self.kept = 0
        """Number of rows that had a verdict when the file was opened."""
        try:
            path.touch()
            end = self._read()
            self._file = path.open("r+b")
        except OSError as error:
            raise FileProblem(f"{path}: {error.strerror}") from None
        self._file.truncate(end)
        self._file.seek(end)
        self.kept = sum(value != NOTHING for value in self._hashes)

    def has(self, row: Row) -> bool:
        """Whether this row, with this text, was judged."""
        return row.number <= len(self._hashes) and self._hashes[row.number - 1] == _hash(row.digest)

    def write(self, row: Row, outcome: Verdict | NotModerated | None) -> None:
        """Appends the outcome of a row (None: it has no text) as a line, which survives the end of the process."""
        entry: dict[str, Any] = {
            "row": row.number,
            **({"id": row.id} if row.id is not None else {}),
            "hash": row.digest,
        }
        if isinstance(outcome, NotModerated):
            entry["error"] = {"code": outcome.code, "message": str(outcome)}
        else:
            entry["verdict"] = outcome.model_dump() if outcome else None
        start = self._file.tell()
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        self._enter(entry, start)

    def close(self, rows: int | None = None) -> Summary:
        """Rewrites the file atomically, with one line per row in the order of rows; returns the counts.

        Args:
            rows: number of rows of the input; lines of other rows are dropped. None: not known.
        """
        self._file.close()
        summary = Summary()
        draft = self._path.with_name(f"{self._path.name}.tmp")
        with self._path.open("rb") as old, draft.open("wb") as new:
            for start in self._at[:rows]:
                if start:
                    old.seek(start - 1)
                    line = old.readline()
                    _count(json.loads(line), summary)
                    new.write(line)
        draft.replace(self._path)
        return summary

    def _read(self) -> int:
        """Loads the existing lines; returns where the last complete line ends."""
        end = 0
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n") and line.startswith(b'{"row": '[: len(line)]):
                    break  # incomplete, because the process died
                try:
                    self._enter(json.loads(line), end)
                except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
                    what = f"{self._path}: line {number} is no verdict of a row"
                    raise FileProblem(f"{what}; move the file away, or name another with --out") from None
                end += len(line)
        return end

    def _enter(self, entry: dict[str, Any], start: int) -> None:
        judged = _hash(entry["hash"]) if "error" not in entry else NOTHING
        if judged and entry["verdict"] is not None:
            Verdict.model_validate(entry["verdict"])
        number = entry["row"]
        if number < 1:
            raise ValueError("rows are counted from 1")
        missing = number - len(self._at)
        if missing > 0:
            self._at.frombytes(bytes(self._at.itemsize * missing))
            self._hashes.frombytes(bytes(self._hashes.itemsize * missing))
        self._at[number - 1], self._hashes[number - 1] = start + 1, judged


def _hash(digest: str) -> int:
    return int(digest, 16) or 1


def _count(entry: dict[str, Any], summary: Summary) -> None:
    if "error" in entry:
        summary.failed += 1
    elif entry["verdict"] is None:
        summary.empty += 1
    else:
        summary.categories[entry["verdict"]["category"]] += 1
