"""Renders a report as files, and saves them. Each file is written whole or not at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

from tools.errors import DeskError
from tools.files.atomic_file import write_whole
from tools.interactions import backend
from tools.research.report.documents import DOCUMENT_TYPES, DocumentError, need_documents, to_document
from tools.research.report.html_pages import render_html_blocking
from tools.research.report.markdown_rendering import to_markdown_file
from tools.research.report.report import Report, to_json
from tools.research.report.source_copies import copy_documents, emulator_documents, files_of, link_copies

log = logging.getLogger(__name__)


DEFAULT_FORMATS = ("md", "html", "json")
"""The formats of a report that need no optional package."""
FORMATS = (*DEFAULT_FORMATS, *DOCUMENT_TYPES)


async def save_with_sources(
    report: Report, folder: Path, formats: Collection[str] = DEFAULT_FORMATS, warn: Callable[[str], None] = log.warning
) -> list[Path]:
    """Writes the report as `save` does, and also copies of the emulator's documents that the report cites."""
    pages = await cited_pages(report)
    return await asyncio.to_thread(save, report, folder, formats, pages, warn)


async def cited_pages(report: Report) -> dict[str, bytes]:
    """Fetches the emulator's documents that a report cites. Maps their addresses to pages; empty for other servers."""
    if cited := emulator_documents(source.url for source in report.sources):
        with suppress(DeskError):  # a saved report needs no server
            server = await asyncio.to_thread(backend.current)
            return await copy_documents(cited, server.url) if server.kind == "emulator" else {}
    return {}


def save(
    report: Report,
    folder: Path,
    formats: Collection[str] = DEFAULT_FORMATS,
    pages: Mapping[str, bytes] | None = None,
    warn: Callable[[str], None] = log.warning,
) -> list[Path]:
    """Writes the files of `render_files`; makes the folder. Returns the paths of the report's files and pictures.

    Raises:
        ValueError: a format is unknown; nothing is written.
        DocumentsMissing: a format needs the extra `documents`; nothing is written.
    """
    files = render_files(report, formats, pages, warn)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        write_whole(folder / name, data)
    return [folder / name for name in files if "/" not in name]


def render_files(
    report: Report,
    formats: Collection[str] = DEFAULT_FORMATS,
    pages: Mapping[str, bytes] | None = None,
    warn: Callable[[str], None] = log.warning,
) -> dict[str, bytes]:
    """Renders the report in the given formats (report.md, ...), and returns all files by their relative paths.

    Markdown, HTML and JSON together take some seconds at most, for any report, and each document half a minute.

    Args:
        pages: maps addresses of cited documents to copies (see `source_copies`). The copies are files too, and the
            report links them instead of the addresses.
        warn: gets a sentence about a document that could not be made, which is left out, or that lacks letters.

    Raises:
        ValueError: a format is unknown.
        DocumentsMissing: a format needs the extra `documents`.
    """
    check_formats(formats)
    renderers = {"md": to_markdown_file, "html": render_html_blocking, "json": to_json}
    files = {f"report.{name}": render(report).encode() for name, render in renderers.items() if name in formats}
    pages = pages or {}
    copies = files_of(pages)
    for name in files.keys() & {"report.md", "report.html"}:
        files[name] = link_copies(files[name].decode(), copies).encode()
    for name in (name for name in DOCUMENT_TYPES if name in formats):
        try:
            files[f"report.{name}"] = to_document(report, name, warn=warn)
        except DocumentError as error:
            warn(str(error))
    # Only the last part of a name: a report from a file must not write outside the folder.
    files |= {Path(picture.name).name: picture.data for picture in report.pictures}
    return {path: pages[url] for url, path in copies.items()} | files


def check_formats(formats: Collection[str]) -> None:
    """Checks the formats of a report.

    Raises:
        ValueError: a format is unknown.
        DocumentsMissing: a format needs the extra `documents`, which is not installed.
    """
    if unknown := set(formats) - set(FORMATS):
        raise ValueError(f"unknown report format {', '.join(sorted(unknown))}: use {', '.join(FORMATS)}")
    if DOCUMENT_TYPES.keys() & set(formats):
        need_documents()
