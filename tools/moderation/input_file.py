"""Reads the texts of a CSV or JSONL file row by row: a million rows need no more memory than one row."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from tools.errors import DeskError
from tools.files.regular_file import regular_size
from tools.moderation.judge import sha256


class FileProblem(DeskError):
    """A file cannot be used. The message names it and says what to do."""


@dataclass(frozen=True)
class Row:
    """One row of a file. `number` counts from 1; the header of a CSV file is not counted."""

    number: int
    text: str
    id: str | int | None = None
    """The row's own `id`, if it has one."""
    problem: str = ""
    """The reason why the row has no text to judge; never quotes the row."""

    @property
    def digest(self) -> str:
        """Hash of the text."""
        return sha256(self.text)[:16]


def read_rows(path: Path, column: str) -> Iterator[Row]:
    """Yields the rows of a CSV or JSONL file. Each row is read when the caller requests it.

    Raises:
        FileProblem: the file cannot be read, or has no such column.
    """
    readers = {".csv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FileProblem(f"{path}: a file of texts ends in {', '.join(readers)}")
    number = 0
    try:
        regular_size(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in reader(path, file, column):
                number = row.number
                yield row
    except OSError as error:
        raise FileProblem(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        where = f"somewhere after row {number}" if number else "at its beginning"
        raise FileProblem(f"{path}: not UTF-8 {where}; save it as UTF-8") from None
    except csv.Error as error:
        raise FileProblem(f"{path}: row {number + 1}: {error}") from None


def _csv(path: Path, file: TextIO, column: str) -> Iterator[Row]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # the default is 128 KB
    table = csv.DictReader(file, strict=True)
    columns = table.fieldnames or ()
    if column not in columns:
        raise FileProblem(_no_column(path, column, columns))
    for name in (column, "id"):
        if list(columns).count(name) > 1:  # the reader would take the last
            raise FileProblem(f"{path}: the column `{name}` is in its first line twice: rename all but one")
    for number, values in enumerate(table, 1):
        yield _row(number, values, column)


def _jsonl(path: Path, file: TextIO, column: str) -> Iterator[Row]:
    found = False
    lines = (line for line in file if line.strip())
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            yield Row(number, "", problem="not a JSON object")
            continue
        if column not in values and not found:
            raise FileProblem(_no_column(path, column, values))
        found = True
        yield _row(number, values, column)


def _row(number: int, values: dict[str, Any], column: str) -> Row:
    own, text = values.get("id"), values.get(column)
    own = own if isinstance(own, str | int) else None
    if text is None:
        return Row(number, "", own, f"no `{column}`")
    if not isinstance(text, str):
        return Row(number, "", own, f"`{column}` is not a text")
    return Row(number, text, own)


def _no_column(path: Path, column: str, columns: Any) -> str:
    listed = ", ".join(columns) or "none"
    return f"{path}: no column `{column}`; its columns: {listed}. Name one of them with --column"
