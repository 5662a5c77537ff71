"""Writes many reports to one zip file, one report at a time."""

from __future__ import annotations

import asyncio
import html
import zipfile
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import NamedTuple

from tools.errors import DeskError
from tools.files.atomic_file import written_whole
from tools.research.job import Job
from tools.research.report.export import check_formats, cited_pages, render_files
from tools.research.report.report import Report
from tools.text.markdown import escape
from tools.text.time_formats import to_minute


class ArchivedReport(NamedTuple):
    """A report in an archive."""

    folder: str
    """Its folder, named after its job."""
    title: str
    facts: str
    """When it was ordered, and its agent."""
    files: tuple[str, ...]
    """Names of its files, without pictures and copies of documents."""


async def save_archive(
    path: Path,
    job_ids: Iterable[str],
    read: Callable[[str], Awaitable[tuple[Job, Report]]],
    formats: Collection[str],
    warn: Callable[[str], None],
) -> list[ArchivedReport]:
    """Writes a zip file with a folder for each report, and with lists of them (README.md and index.html).

    The file is written whole or not at all. Only one report is in memory at a time.

    Args:
        read: returns a job with its report. If it raises an error, the archive leaves this report out.
        warn: gets a sentence for each report or document that the archive does not have, and for missing letters.

    Returns:
        The reports of the archive, in the order of `job_ids`.

    Raises:
        ValueError: a format is unknown.
        DocumentsMissing: a format needs the extra `documents`.
        OSError: the file cannot be written.
    """
    check_formats(formats)
    archived = list[ArchivedReport]()
    with written_whole(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for job_id in job_ids:
            try:
                archived.append(await _add(archive, job_id, read, formats, warn))
            except (DeskError, ValueError) as error:
                warn(f"{job_id} is left out: {error}")
        for name, text in (("README.md", _readme(archived)), ("index.html", _page(archived))):
            archive.writestr(name, text)
    return archived


async def _add(
    archive: zipfile.ZipFile,
    job_id: str,
    read: Callable[[str], Awaitable[tuple[Job, Report]]],
    formats: Collection[str],
    warn: Callable[[str], None],
) -> ArchivedReport:
    job, report = await read(job_id)
    pages = await cited_pages(report)
    files = await asyncio.to_thread(render_files, report, formats, pages, lambda text: warn(f"{job_id}: {text}"))
    for name, data in files.items():
        archive.writestr(_entry(f"{job_id}/{name}", job.created), data)
    facts = f"{to_minute(job.created)} · {report.agent or job.order.agent}"
    names = tuple(name for name in files if name.startswith("report."))
    return ArchivedReport(job_id, " ".join(report.title.split()), facts, names)


def _entry(name: str, seconds: float) -> zipfile.ZipInfo:
    """Describes a file in the archive. The zip format has no time before 1980."""
    day = datetime.fromtimestamp(max(seconds, 315619200), UTC)
    entry = zipfile.ZipInfo(name, day.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _readme(archived: list[ArchivedReport]) -> str:
    lines = [f"# {_count(archived)}", ""]
    for report in archived:
        links = ", ".join(f"[{name.partition('.')[2]}]({report.folder}/{name})" for name in report.files)
        lines.append(f"- **{escape(report.title)}** ({report.facts}; {report.folder}): {links}")
    return "\n".join(lines) + "\n"


def _page(archived: list[ArchivedReport]) -> str:
    items = list[str]()
    for report in archived:
        links = " ".join(f'<a href="{report.folder}/{name}">{name.partition(".")[2]}</a>' for name in report.files)
        facts = html.escape(f"{report.facts} · {report.folder}")
        items.append(f'<li dir="auto"><b>{html.escape(report.title)}</b><br><small>{facts}</small> {links}</li>')
    return _PAGE.substitute(title=_count(archived), items="\n".join(items))


def _count(archived: list[ArchivedReport]) -> str:
    return f"{len(archived)} research report{'' if len(archived) == 1 else 's'}"


_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
body { max-width: 42rem; margin: 3rem auto; padding: 0 1.25rem; font: 1.0625rem/1.6 Georgia, serif; }
li { margin: 0.9em 0; overflow-wrap: break-word; }
small { opacity: 0.7; }
</style>
</head>
<body>
<h1>$title</h1>
<ol>
$items
</ol>
</body>
</html>
""")
