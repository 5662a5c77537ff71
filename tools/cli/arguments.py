"""Arguments that several commands have: texts, ids of runs, and folders to write to."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from tools.research.order import MAX_BRIEF_CHARS

DEFAULT_FOLDER = Path("reports")
MAX_INPUT_CHARS = 10_000_000
"""Maximum characters of a text, so that an endless standard input ends. No model reads as many."""


def read_text(value: str | None) -> str | None:
    """Callback of a text argument: reads standard input if the text is `-`, and refuses an empty text.

    Raises:
        typer.BadParameter: the text is empty, is not UTF-8, or is longer than `MAX_INPUT_CHARS`.
    """
    if value is None:
        return None
    try:
        value = sys.stdin.read(MAX_INPUT_CHARS + 1).removeprefix("\ufeff") if value == "-" else value
        value.encode()  # Python lets other bytes pass in arguments, and from standard input in the locale C
    except UnicodeError:
        raise typer.BadParameter("it is not UTF-8") from None
    if not value.strip():
        raise typer.BadParameter("it is empty: write a text, or - to read standard input")
    if len(value) > MAX_INPUT_CHARS:
        raise typer.BadParameter(f"it has more than {MAX_INPUT_CHARS:,} characters: shorten it")
    return value


def read_order_text(value: str | None) -> str | None:
    """Callback of a brief, a question about a report, and changes to a plan: `read_text` with a limit.

    Raises:
        typer.BadParameter: the text is empty, too long, or not UTF-8.
    """
    value = read_text(value)
    if value and len(value) > MAX_BRIEF_CHARS:
        limit = f"at most {MAX_BRIEF_CHARS:,} are taken"
        raise typer.BadParameter(f"it has {len(value):,} characters, and {limit}: shorten it, or attach it as a file")
    return value


def refuse_together(option: str, effect: str, others: Mapping[str, object]) -> None:
    """Refuses options that another option would silently ignore.

    Args:
        effect: what `option` does, as the rest of a sentence that begins with it.
        others: the values of the other options, by name; a false value means that the option was not given.

    Raises:
        typer.BadParameter: one of them was given.
    """
    for name, given in others.items():
        if given:
            raise typer.BadParameter(f"{option} {effect}: leave out {name}, or {option}")


Text = Annotated[str, typer.Argument(callback=read_text, metavar="TEXT", help="A text; - reads standard input.")]


def writable_folder(folder: Path | None) -> Path | None:
    """Callback of `--out`: checks that the folder can be written to, before anything is paid for.

    Raises:
        typer.BadParameter: the folder cannot be made or written to.
    """
    if folder and str(folder) in ("-", "."):
        raise typer.BadParameter("name a folder for the files, such as --out reports")
    nearest = (folder or DEFAULT_FOLDER).absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise typer.BadParameter(f"{nearest} is not a folder: name another with --out")
    try:
        # Tries to write, because a check of permissions would let root pass everywhere.
        Path(tempfile.mkdtemp(prefix=".desk-", dir=nearest)).rmdir()
    except OSError:
        raise typer.BadParameter(f"{nearest} cannot be written to: name another folder with --out") from None
    return folder


def writable_file(path: Path | None) -> Path | None:
    """Callback of an option that names a file to write: checks that it can be made, before anything is done.

    Raises:
        typer.BadParameter: it is a folder, or `-`, or its folder cannot be made or written to.
    """
    if path and (str(path) == "-" or path.is_dir()):
        what = "standard output" if str(path) == "-" else "a folder"
        raise typer.BadParameter(f"{path} is {what}: name a file")
    if path:
        writable_folder(path.parent.absolute())
    return path


JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of a research run, as `desk jobs` shows it.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--out", callback=writable_folder, metavar="DIR", show_default="reports", help="Folder for the files."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout; progress on stderr.")]
