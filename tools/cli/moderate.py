"""`desk moderate`: a verdict on one text, or on each row of a file."""

from __future__ import annotations

import hashlib
import os
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from tools.cli.arguments import read_text, writable_file
from tools.cli.command_run import fail, run
from tools.cli.exit_status import ExitStatus
from tools.cli.terminal import err, out, print_json, show_markdown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.moderation.input_file import Row
    from tools.moderation.judge import ModerationClient
    from tools.moderation.verdict_store import Summary, VerdictStore

TEXT_COLUMN = "text"
AT_ONCE = 8
"""Texts that are judged at the same time, if the option is not given."""
MODERATION_STOPPED = "Stopped. The verdicts so far are kept; the same command continues."


class FailOn(StrEnum):
    """Verdicts that `--fail-on` reports: anything unsafe, or one category."""

    unsafe = "unsafe"
    spam = "spam"
    inappropriate = "inappropriate"
    harmful = "harmful"

    def matches(self, category: str) -> bool:
        """Whether `--fail-on` reports a verdict of this category."""
        return category != "safe" if self is FailOn.unsafe else category == self


def moderate(
    text: Annotated[
        str | None,
        typer.Argument(callback=read_text, metavar="TEXT", help="The text to judge; - reads standard input."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="A CSV or JSONL file; each row is judged.")
    ] = None,
    column: Annotated[
        str, typer.Option("--column", metavar="NAME", help="Column (CSV) or key (JSONL) of the text.")
    ] = TEXT_COLUMN,
    target: Annotated[
        Path | None,
        typer.Option(
            "--out",
            callback=writable_file,
            metavar="FILE",
            show_default="FILE.verdicts.jsonl",
            help="File for the verdicts.",
        ),
    ] = None,
    at_once: Annotated[
        int, typer.Option("--at-once", metavar="N", min=1, max=100, help="Rows that are judged at a time.")
    ] = AT_ONCE,
    fail_on: Annotated[
        FailOn | None, typer.Option("--fail-on", help="Exit with status 3 if a text is unsafe, or of this category.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The verdict, or the summary, as a JSON object.")] = False,
) -> None:
    """Judge a text, or each row of a file: safe, spam, inappropriate or harmful.

    For a file, the same command continues a run that was stopped or killed; rows that failed, or whose text has
    changed, are judged again. Exit status 1 if rows failed.
    """
    if (text is None) == (file is None):
        raise typer.BadParameter("either a text or --file, e.g. desk moderate --file comments.csv --column text")
    if file is None and (target or column != TEXT_COLUMN or at_once != AT_ONCE):
        raise typer.BadParameter("--column, --out and --at-once are for --file: leave them out, or name a file")
    if file is None:
        run(_one(text or "", fail_on, as_json))
    else:
        target = target or Path(f"{file}.verdicts.jsonl")
        run(_file(file, column, target, at_once, fail_on, as_json), MODERATION_STOPPED)


def _judge() -> ModerationClient:
    from tools.config.loader import load_agent
    from tools.interactions import backend
    from tools.moderation.judge import load_judge
    from tools.settings import load_settings

    config = load_settings().config
    load_agent(config)
    backend.current()  # a wrong setting fails here once, instead of once per row
    return load_judge(config)


async def _one(text: str, fail_on: FailOn | None, as_json: bool) -> None:
    from tools.moderation.judge import NotModerated
    from tools.moderation.verdict import sentence

    try:
        verdict, _ = await _judge().judge(text)
    except NotModerated as error:
        fail(RuntimeError(f"not moderated, which does not mean safe ({error.code}): {error}"))
    if as_json:
        print_json(verdict.model_dump())
    else:
        show_markdown(sentence(verdict))
    if fail_on and fail_on.matches(verdict.category):
        raise typer.Exit(ExitStatus.FLAGGED)


async def _file(file: Path, column: str, target: Path, at_once: int, fail_on: FailOn | None, as_json: bool) -> None:
    from filelock import FileLock, Timeout

    from tools.moderation.input_file import FileProblem, read_rows
    from tools.moderation.judge import NotModerated
    from tools.moderation.verdict_store import VerdictStore

    try:
        with FileLock(_lock_of(target), timeout=0):
            rows = read_rows(file, column)
            first = next(rows, None)  # read before the output is created: a bad file leaves no output
            if first is None:
                raise FileProblem(f"{file}: no rows")
            judge = _judge()  # before the store is created: a wrong setting leaves no output
            target.parent.mkdir(parents=True, exist_ok=True)
            store = VerdictStore(target)
            summary = await _judge_all(chain([first], rows), store, judge, at_once)
    except Timeout:
        fail(RuntimeError(f"{target}: another run writes this file; wait for it, or name another with --out"))
    except FileProblem as error:
        fail(error, status=ExitStatus.USAGE)
    except NotModerated as error:
        fail(RuntimeError(f"stopped, because every row would fail ({error.code}): {error} The same command continues."))
    _show(summary, target, as_json)
    if summary.failed:
        reason = f" First: {summary.problem}" if summary.problem else ""
        number, them = ("1 row", "it") if summary.failed == 1 else (f"{summary.failed} rows", "them")
        err.print(escape(f"{number} failed; the same command tries {them} again.{reason}"), soft_wrap=True)
        raise typer.Exit(ExitStatus.FAILED)
    if fail_on and any(number and fail_on.matches(category) for category, number in summary.categories.items()):
        raise typer.Exit(ExitStatus.FLAGGED)


def _lock_of(target: Path) -> Path:
    """Returns the lock file, in the ledger's folder, of all runs that write this output."""
    from tools.files.private_files import create_private_folder
    from tools.settings import load_settings

    folder = load_settings().data_dir
    create_private_folder(folder)
    return folder / f"moderate-{hashlib.sha256(os.fsencode(target.resolve())).hexdigest()[:16]}.lock"


async def _judge_all(rows: Iterator[Row], store: VerdictStore, judge: ModerationClient, at_once: int) -> Summary:
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from tools.moderation.batch import judge_rows

    if store.judged_before:
        err.print(f"continuing: {store.judged_before} rows are done already")
    whole: int | None = None
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
            task = bar.add_task("judging rows", total=None)
            count = 0
            async for _ in judge_rows(rows, store, judge, at_once):
                count += 1
                bar.advance(task)
        whole = count
    finally:  # also after Ctrl-C, so that the file is valid
        summary = store.close(whole)
    return summary


def _show(summary: Summary, target: Path, as_json: bool) -> None:
    if as_json:
        print_json({"file": str(target), **summary.as_data()})
        return
    for category, number in sorted(summary.categories.items()):
        out.print(f"{category}: {number}")
    share = f"{summary.flagged / summary.judged:.1%}" if summary.judged else "none"
    out.print(f"not safe: {summary.flagged} of {summary.judged} judged ({share}); failed: {summary.failed}", end="")
    out.print(f"; without a text: {summary.empty}" if summary.empty else "")
    out.print(str(target), soft_wrap=True, markup=False)
