"""The files of DeepResearch Bench: reads its tasks, and writes the articles that its scripts read.

The benchmark (github.com/Ayanami0730/deep_research_bench) reads `data/test_data/raw_data/<model>.jsonl`: one JSON
object per line with `id`, `prompt` and `article`. RACE finds an article by its `prompt`, FACT by the `id` in the
benchmark's `query.jsonl` (`utils/extract.py`). FACT reads citations of the form `text [1]`, with a list of references
at the end.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.files.regular_file import regular_size
from tools.interactions.citation_marks import plain_marks
from tools.research.report.report import Report


class TasksError(Exception):
    """A file of tasks cannot be read. The message names the line."""


@dataclass(frozen=True)
class Task:
    """A task of the benchmark."""

    id: int | str
    """The benchmark's id."""
    prompt: str


def read_tasks(file: Path) -> list[Task]:
    """Reads the tasks of a `query.jsonl`. The id of a task is its `source_id` if that is a number, else its `id`.

    A sample may have new task numbers in `id` and the benchmark's numbers in `source_id`.

    Raises:
        TasksError: the file is unreadable, has no tasks, or has a malformed or repeated task.
    """
    tasks: dict[str, Task] = {}
    ids: set[int | str] = set()
    try:
        regular_size(file)
        lines = file.read_text(encoding="utf-8").split("\n")  # splitlines would also divide a prompt at U+2028
    except OSError as error:
        raise TasksError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise TasksError(f"{file}: not UTF-8 (byte {error.start}); the benchmark's files are") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            own_id, prompt = row.get("source_id", row["id"]), row["prompt"]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise TasksError(f"{file}, line {number}: not a JSON object with `id` and `prompt`") from None
        if not isinstance(prompt, str) or not prompt.strip() or prompt in tasks:
            raise TasksError(f"{file}, line {number}: the `prompt` is empty or occurs twice")
        task = Task(own_id if isinstance(own_id, int) else row["id"], prompt)
        if type(task.id) not in (int, str) or not task.id or task.id in ids:  # FACT silently skips these
            raise TasksError(f"{file}, line {number}: the `id` is empty, is neither number nor text, or occurs twice")
        ids.add(task.id)
        tasks[prompt] = task
    if not tasks:
        raise TasksError(f"{file}: no tasks")
    return list(tasks.values())


def article(report: Report) -> str:
    """Converts a report into the form that FACT reads: marks like `[1]`, and references with URLs at the end."""
    text = report.text
    for picture in report.pictures:
        text = text.replace(picture.mark, "")
    text = plain_marks(text, report.sources).strip()
    references = "\n".join(f"[{s.number}] {' '.join(filter(None, (s.title, s.url)))}" for s in report.sources)
    return f"{text}\n\n## References\n\n{references}\n" if references else f"{text}\n"


def write_articles(file: Path, tasks: Sequence[Task], reports: dict[Task, Report]) -> None:
    """Writes the existing reports in the order of the tasks, atomically."""
    rows = [{"id": t.id, "prompt": t.prompt, "article": article(reports[t])} for t in tasks if t in reports]
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    new.replace(file)
