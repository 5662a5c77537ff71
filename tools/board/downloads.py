"""The files of a report that can be downloaded: their formats, names and headers."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tools.board.base import Board
from tools.research.report.documents import DOCUMENT_TYPES, documents_installed, render_document
from tools.research.report.html_pages import render_html
from tools.research.report.markdown_rendering import to_markdown_file
from tools.research.report.report import Report, to_json

_TEXT_TYPES = {"md": "text/markdown; charset=utf-8", "html": "text/html; charset=utf-8", "json": "application/json"}
NAMES = {"md": "Markdown", "html": "Web page", "json": "JSON", "pdf": "PDF", "docx": "Word", "epub": "EPUB"}
"""Names of the formats, for people."""
_FILE_POLICY = "sandbox; frame-ancestors 'none'; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Content-Security-Policy of a downloaded report, which a browser may show. Its web page has an inline style."""


async def send_file(board: Board, request: Request) -> Response:
    """Sends a report as a file.

    Raises:
        HTTPException: the report does not come in that form.
    """
    _, job = await board.own_job(request)
    ending = request.path_params["ending"]
    kind = formats().get(ending)
    if kind is None:
        raise HTTPException(404, "The report does not come in that form.")
    async with board.report(request, request.user.username, job) as report:
        data = await render(report, ending, job.order.user)
    headers = {
        "Content-Disposition": f'attachment; filename="{job.id}.{ending}"',
        "Content-Security-Policy": _FILE_POLICY,
    }
    return Response(data, media_type=kind, headers=headers)


def formats() -> Mapping[str, str]:
    """Returns the formats of reports that can be downloaded here, with their MIME types."""
    return _TEXT_TYPES | (DOCUMENT_TYPES if documents_installed() else {})


async def render(report: Report, format: str, reader: str) -> bytes:
    """Returns the bytes of a report's file.

    Args:
        format: a key of `formats()`.
        reader: whose queue the rendering waits in, see `render_queue.RENDERINGS`.

    Raises:
        DocumentError: the report cannot be converted to this format.
    """
    match format:
        case "md":
            return to_markdown_file(report).encode()
        case "html":
            return (await render_html(report, reader)).encode()
        case "json":
            return to_json(report).encode()
    return await render_document(report, format, reader)
