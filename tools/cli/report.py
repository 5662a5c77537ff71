"""`desk report`: saves the report of a finished run again, shows it, or saves all reports in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.cli.arguments import AsJson, refuse_together, writable_file, writable_folder
from tools.cli.command_run import fail, run
from tools.cli.exit_status import ExitStatus
from tools.cli.report_output import Format, Formats, ReportOutput, format_names, new_service, print_warning
from tools.cli.terminal import err, out, print_json, show_markdown
from tools.research.order import LOCAL_USER

if TYPE_CHECKING:
    from tools.research.job import Job
    from tools.research.report.report import Report

DEFAULT_ARCHIVE = Path("reports.zip")


def report(
    job_id: Annotated[
        str, typer.Argument(metavar="JOB", help="Id of a research run, as `desk jobs` shows it.", show_default=False)
    ] = "",
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR|FILE",
            show_default="reports, with --all reports.zip",
            help="Folder for the files, or file with --all.",
        ),
    ] = None,
    formats: Formats = None,
    resolve_links: Annotated[
        bool, typer.Option("--resolve-links", help="Ask Google where its redirect links lead, and keep the answers.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the report instead of saving it.")] = False,
    save_all: Annotated[bool, typer.Option("--all", help="Save all reports in one zip file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Save the report of a finished research run again, or show it; or save all reports."""
    if show:
        refused = {"--json": as_json, "--format": formats, "--out": folder}
        refuse_together("--show", "prints Markdown and saves nothing", refused)
    if save_all:
        others: dict[str, object] = {job_id: job_id, "--resolve-links": resolve_links, "--show": show}
        refuse_together("--all", "saves all reports", others)
        run(_save_all(writable_file(folder) or DEFAULT_ARCHIVE, formats, as_json))
        return
    if not job_id:
        raise typer.BadParameter("name a JOB, as `desk jobs` lists them, or --all")
    run(_report(job_id, resolve_links, show, ReportOutput(writable_folder(folder), formats, as_json)))


async def _report(job_id: str, resolve_links: bool, show: bool, output: ReportOutput) -> None:
    from tools.research.job_errors import NotFinished
    from tools.research.report.markdown_rendering import to_chat
    from tools.research.report.redirect_links import is_redirect

    service = new_service()
    job, found = await service.job(job_id), await service.report(job_id)
    if found and resolve_links:
        found = await service.resolve_links(job_id)
        left = sum(is_redirect(source.url) for source in found.sources)
        err.print(f"{left} links could not be resolved and stay as they are" if left else "all links are resolved")
    if found is None:
        raise NotFinished(f"{job_id} has no report: it is {job.state.words}", job_id)
    if show:
        show_markdown(to_chat(found))
        return
    saved = await output.save(job, found)
    if output.as_json:
        output.print_json(job, found, saved)
    output.end()


async def _save_all(path: Path, formats: list[Format] | None, as_json: bool) -> None:
    from tools.research.job_errors import NotFinished
    from tools.research.report.archive import save_archive

    service = new_service()
    ids = await service.ledger.reported(LOCAL_USER)
    if not ids:
        raise NotFinished("there is no report yet: `desk jobs` lists the research runs")
    problems = list[str]()

    def warn(text: str) -> None:
        problems.append(text)
        print_warning(text)

    async def read(job_id: str) -> tuple[Job, Report]:
        err.print(f"  {job_id}", style="dim")
        job, found = await service.job(job_id), await service.report(job_id)
        if found is None:
            raise NotFinished("its report was deleted meanwhile")
        return job, found

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        archived = await save_archive(path, ids, read, format_names(formats), warn)
    except OSError as error:
        fail(error, f"{error.filename or path}: {error.strerror or error}. Nothing was written")
    if as_json:
        print_json({"file": str(path), "reports": [each.folder for each in archived], "problems": problems})
    else:
        out.print(str(path), soft_wrap=True, markup=False)
        err.print(f"{len(archived)} of {len(ids)} reports")
    wanted = len(ids) * len(format_names(formats))
    if sum(len(each.files) for each in archived) < wanted:
        raise typer.Exit(ExitStatus.FAILED)
