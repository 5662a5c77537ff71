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

from tools.mcp_server.arguments import BadArgument
from tools.research.job import Job, State
from tools.research.report.html_worker import render_html
from tools.research.report.reading import Report, to_json
from tools.research.report.rendering import to_markdown_file
from tools.research.texts import title

JOBS_PER_PAGE = 50
FORMATS = {"report.md": "text/markdown", "report.html": "text/html", "report.json": "application/json"}
"""MIME types of the report's files."""
_URI = re.compile(r"research://(?P<job>[\w-]{1,40})/(?P<file>[\w-][\w.-]{0,100})", re.IGNORECASE)
TEMPLATES = ListResourceTemplatesResult(
    resource_templates=[
        ResourceTemplate(
            name="report",
            uri_template="research://{job}/{file}",
            description=f"A finished report: {', '.join(FORMATS)}, or one of its pictures, such as figure-1.png.",
        )
    ]
)


def listed(jobs: Sequence[Job], cursor: str | None) -> ListResourcesResult:
    """Returns a page of the resources of a user's finished jobs.

    Args:
        jobs: all jobs of the user, newest first.
        cursor: the `next_cursor` of the page before; None for the first page.

    Raises:
        BadArgument: the cursor is none of this server's.
    """
    if cursor is not None and not re.fullmatch(r"\d{1,9}", cursor):
        raise BadArgument("`cursor` is none of this server's: leave it out for the first page")
    first, done = int(cursor or 0), [job for job in jobs if job.state in (State.COMPLETED, State.INCOMPLETE)]
    last = first + JOBS_PER_PAGE
    return ListResourcesResult(
        resources=[
            Resource(name=f"{job.id}/{name}", title=title(job), uri=f"research://{job.id}/{name}", mime_type=kind)
            for job in done[first:last]
            for name, kind in FORMATS.items()
        ],
        next_cursor=str(last) if last < len(done) else None,
    )


def parse_uri(uri: str) -> tuple[str, str]:
    """Returns the job's id and the name of the file.

    Raises:
        BadArgument: it is no address of a report.
    """
    found = _URI.fullmatch(uri)
    if found is None:
        raise BadArgument(f"{uri[:80]!r} is no report: write research://JOB/report.md")
    return found["job"].casefold(), found["file"]


async def contents(uri: str, report: Report, file: str) -> ReadResourceResult:
    """Returns a file of a report.

    Raises:
        BadArgument: the report has no such file.
    """
    if file in FORMATS:
        kind = FORMATS[file]
        text = await render_html(report) if file == "report.html" else _TEXTS[file](report)
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=kind, text=text)])
    for picture in report.pictures:
        if picture.name == file:
            blob = base64.b64encode(picture.data).decode()
            return ReadResourceResult(contents=[BlobResourceContents(uri=uri, mime_type=picture.mime_type, blob=blob)])
    names = ", ".join([*FORMATS, *(picture.name for picture in report.pictures)])
    raise BadArgument(f"this report has no file {file!r}: it has {names}")


_TEXTS = {"report.md": to_markdown_file, "report.json": to_json}
