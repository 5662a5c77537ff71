"""Saves the files of a report. Each file is written whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from tools.errors import DeskError
from tools.interactions import backend
from tools.research.report.document_copies import copy_documents, emulator_documents, files_of, link_copies
from tools.research.report.html_worker import render_html_blocking
from tools.research.report.reading import Report, to_json
from tools.research.report.rendering import to_markdown_file


async def save_with_sources(
    report: Report, folder: Path, formats: Collection[str] = ("md", "html", "json")
) -> list[Path]:
    """Writes the report as `save` does, and also copies of the emulator's documents that the report cites."""
    pages = dict[str, bytes]()
    if cited := emulator_documents(source.url for source in report.sources):
        with suppress(DeskError):  # a saved report needs no server
            server = await asyncio.to_thread(backend.current)
            pages = await copy_documents(cited, server.url) if server.kind == "emulator" else {}
    return await asyncio.to_thread(save, report, folder, formats, pages)


def save(
    report: Report,
    folder: Path,
    formats: Collection[str] = ("md", "html", "json"),
    pages: Mapping[str, bytes] | None = None,
) -> list[Path]:
    """Writes the report in the given formats (report.md, ...) and its pictures; makes the folder.

    Takes some seconds at most, for any report. Returns the paths of the report's files and pictures.

    Args:
        pages: maps addresses of cited documents to copies (see `document_copies`). The copies are saved too, and the
            report links them instead of the addresses.

    Raises:
        ValueError: a format is unknown; nothing is written.
    """
    renderers = {"md": to_markdown_file, "html": render_html_blocking, "json": to_json}
    if unknown := set(formats) - set(renderers):
        raise ValueError(f"unknown report format {', '.join(sorted(unknown))}: use {', '.join(renderers)}")
    files = {f"report.{name}": render(report).encode() for name, render in renderers.items() if name in formats}
    pages = pages or {}
    copies = files_of(pages)
    for name in files.keys() & {"report.md", "report.html"}:
        files[name] = link_copies(files[name].decode(), copies).encode()
    # Only the last part of a name: a report from a file must not write outside the folder.
    files |= {Path(picture.name).name: picture.data for picture in report.pictures}
    folder.mkdir(parents=True, exist_ok=True)
    for url, name in copies.items():
        (folder / name).parent.mkdir(exist_ok=True)
        _write(folder / name, pages[url])
    for name, data in files.items():
        _write(folder / name, data)
    return [folder / name for name in files]


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
