"""The formats of reports on the command line, and how commands save or print the result of a job."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from tools.cli.arguments import DEFAULT_FOLDER, refuse_together
from tools.cli.command_run import fail, options
from tools.cli.exit_status import ExitStatus
from tools.cli.job_data import as_data
from tools.cli.price_confirmation import quote
from tools.cli.progress import show_progress
from tools.cli.terminal import err, out, print_json, show_markdown

if TYPE_CHECKING:
    from tools.research.job import Job
    from tools.research.report.report import Report
    from tools.research.service import Research


class Format(StrEnum):
    """Formats of saved reports. The last three need the extra `documents`."""

    md = "md"
    html = "html"
    json = "json"
    pdf = "pdf"
    docx = "docx"
    epub = "epub"


DEFAULT_FORMATS = (Format.md, Format.html, Format.json)


def _checked_formats(formats: list[Format] | None) -> list[Format] | None:
    """Callback of `--format`: checks that the formats can be written, before anything is paid for."""
    from tools.research.report.documents import DocumentsMissing, need_documents

    if set(formats or ()) - set(DEFAULT_FORMATS):
        try:
            need_documents()
        except DocumentsMissing as error:
            raise typer.BadParameter(str(error)) from None
    return formats


Formats = Annotated[
    list[Format] | None,
    typer.Option(
        "--format", callback=_checked_formats, help="A format; may be repeated.", show_default="md, html and json"
    ),
]


def format_names(formats: Sequence[Format] | None) -> list[str]:
    """Returns the names of the formats, by default all that need no optional package."""
    return [format_.value for format_ in formats or DEFAULT_FORMATS]


def print_warning(text: str) -> None:
    """Prints a sentence about a document to stderr."""
    err.print(f"[yellow]warning:[/] {escape(text)}", soft_wrap=True)


def new_service() -> Research:
    """Returns the research service of this process."""
    from tools.research.factory import research

    return research()


class ReportOutput:
    """Saves or prints the result of a job."""

    def __init__(self, folder: Path | None, formats: Sequence[Format] | None, as_json: bool) -> None:
        """With `as_json`, files are saved only if a folder is named.

        Raises:
            typer.BadParameter: formats are named, and no files are saved.
        """
        if as_json and not folder:
            refuse_together("--json", "saves files only with --out DIR", {"--format": formats})
        self.folder = folder or (None if as_json else DEFAULT_FOLDER)
        self.formats, self.as_json = format_names(formats), as_json
        self.is_complete = True
        """Whether all documents could be made so far."""

    async def show(self, service: Research, job_id: str) -> None:
        """Watches a job to its end, then saves or prints its result.

        Exits with status 1 if there is no report, and no plan or price that waits for a yes.
        """
        from tools.research.job_states import State
        from tools.research.notices.delivery import delivering
        from tools.researcher.run_texts import CLI_STEPS, outcome

        options.job_id = job_id
        async with delivering():
            await show_progress(service.watch(job_id))
        job, found = await service.job(job_id), await service.report(job_id)
        saved = await self.save(job, found) if found else []
        if self.as_json:
            self.print_json(job, found, saved)
        if job.state is State.AWAITING_APPROVAL:
            text = job.plan.text if job.plan else await quote(service, job.order)
            if self.as_json:
                err.print(text, markup=False, soft_wrap=True)
            else:
                show_markdown(text)
            changes = ", or with --changes “…”" if job.plan else ""
            err.print(f"To start it: desk approve {job.id}{changes}; to drop it: desk cancel {job.id}", soft_wrap=True)
        elif found is None:
            err.print(escape(outcome(job, CLI_STEPS)), soft_wrap=True)
            raise typer.Exit(ExitStatus.FAILED)
        self.end()

    def end(self) -> None:
        """Exits with status 1 if a document could not be made."""
        if not self.is_complete:
            raise typer.Exit(ExitStatus.FAILED)

    def print_json(self, job: Job, found: Report | None, saved: list[Path]) -> None:
        """Prints a job with its report and the paths of its files."""
        files = {"files": [str(path) for path in saved]} if saved else {}
        print_json(as_data(job, found) | files)

    async def save(self, job: Job, found: Report) -> list[Path]:
        """Writes the report's files and returns their paths. Prints the paths too, unless `as_json` is set."""
        from tools.research.report.export import save_with_sources

        if self.folder is None:
            return []
        try:
            paths = await save_with_sources(found, self.folder / job.id, self.formats, print_warning)
        except OSError as error:
            kept = f"The report is kept: desk report {job.id} --out DIR"
            fail(error, f"{error.filename or self.folder}: {error.strerror or error}. {kept}")
        self.is_complete = {f"report.{name}" for name in self.formats} <= {path.name for path in paths}
        if not self.as_json:
            for path in paths:
                out.print(str(path), soft_wrap=True, markup=False)
        return paths
