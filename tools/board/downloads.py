"""The files of a report."""

from __future__ import annotations

from collections.abc import Mapping

from tools.research.report.documents import DOCUMENT_TYPES, documents_installed, render_document
from tools.research.report.html_pages import render_html
from tools.research.report.markdown_rendering import to_markdown_file
from tools.research.report.report import Report, to_json

_TEXT_TYPES = {"md": "text/markdown; charset=utf-8", "html": "text/html; charset=utf-8", "json": "application/json"}
NAMES = {"md": "Markdown", "html": "Web page", "json": "JSON", "pdf": "PDF", "docx": "Word", "epub": "EPUB"}
"""Names of the formats, for people."""


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
