"""Reports as MCP resources: `research://JOB/report.md`, other formats, and their pictures."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

from mcp_types import (
    BlobResourceContents,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from tools.errors import BadArgument
from tools.mcp_server.limits import REPORTS_PER_PAGE
from tools.research.job import Job
from tools.research.job_states import State
from tools.research.job_texts import title
from tools.research.report.documents import DOCUMENT_TYPES, documents_installed, render_document
from tools.research.report.html_pages import render_html
from tools.research.report.markdown_rendering import to_markdown_file
from tools.research.report.report import Report, to_json

FORMATS = {"report.md": "text/markdown", "report.html": "text/html", "report.json": "application/json"}
"""MIME types of the report's text files."""
DOCUMENTS = {f"report.{name}": kind for name, kind in DOCUMENT_TYPES.items()}
"""MIME types of the report's binary files, which need the extra `documents`."""
_URI = re.compile(r"research://(?P<job>[\w-]{1,40})/(?P<file>[\w-][\w.-]{0,100})", re.IGNORECASE)


def _formats() -> dict[str, str]:
    """Returns the MIME types of the files that each report has here."""
    return FORMATS | DOCUMENTS if documents_installed() else FORMATS


TEMPLATES = ListResourceTemplatesResult(
    resource_templates=[
        ResourceTemplate(
            name="report",
            uri_template="research://{job}/{file}",
            description=f"A finished report: {', '.join(_formats())}, or one of its pictures, such as figure-1.png.",
        )
    ]
)


def listed(jobs: Sequence[Job], cursor: str | None) -> ListResourcesResult:
    """Returns a page of the resources of a user's finished jobs.

    Args:
        jobs: all jobs of the user, newest first.
        cursor: the `next_cursor` of the previous page; None for the first page.

    Raises:
        BadArgument: the cursor is none of this server's.
    """
    if cursor is not None and not re.fullmatch(r"\d{1,9}", cursor):
        raise BadArgument("`cursor` is none of this server's: leave it out for the first page")
    formats = _formats()
    first, done = int(cursor or 0), [job for job in jobs if job.state in (State.COMPLETED, State.INCOMPLETE)]
    last = first + REPORTS_PER_PAGE
    return ListResourcesResult(
        resources=[
            Resource(name=f"{job.id}/{name}", title=title(job), uri=f"research://{job.id}/{name}", mime_type=kind)
            for job in done[first:last]
            for name, kind in formats.items()
        ],
        next_cursor=str(last) if last < len(done) else None,
    )


def parse_uri(uri: str) -> tuple[str, str]:
    """Returns the job's id and the name of the file.

    Raises:
        BadArgument: it is not the address of a report.
    """
    found = _URI.fullmatch(uri)
    if found is None:
        raise BadArgument(f"{uri[:80]!r} is no report: write research://JOB/report.md")
    return found["job"].casefold(), found["file"]


async def contents(uri: str, report: Report, file: str, user: str) -> ReadResourceResult:
    """Returns a file of a report.

    Raises:
        BadArgument: the report has no such file.
        DocumentsMissing, DocumentError: it cannot be written in this format.
    """
    if file in FORMATS:
        kind = FORMATS[file]
        text = await render_html(report, user) if file == "report.html" else _TEXTS[file](report)
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=kind, text=text)])
    if file in DOCUMENTS:
        return _blob(uri, DOCUMENTS[file], await render_document(report, file.removeprefix("report."), user))
    for picture in report.pictures:
        if picture.name == file:
            return _blob(uri, picture.mime_type, picture.data)
    names = ", ".join([*_formats(), *(picture.name for picture in report.pictures)])
    raise BadArgument(f"this report has no file {file!r}: it has {names}")


def _blob(uri: str, kind: str, data: bytes) -> ReadResourceResult:
    blob = base64.b64encode(data).decode()
    return ReadResourceResult(contents=[BlobResourceContents(uri=uri, mime_type=kind, blob=blob)])


_TEXTS = {"report.md": to_markdown_file, "report.json": to_json}
