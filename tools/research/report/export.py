"""Saves the files of a report. Each file is written whole or not at all."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from secrets import token_hex

from tools.research.report.html_worker import render_html_blocking
from tools.research.report.reading import Report, to_json
from tools.research.report.rendering import to_markdown_file


def save(report: Report, folder: Path, formats: Collection[str] = ("md", "html", "json")) -> list[Path]:
    """Writes the report in the given formats (report.md, ...) and its pictures; makes the folder.

    Takes some seconds at most, for any report. Returns the paths, pictures last.

    Raises:
        ValueError: a format is unknown; nothing is written.
    """
    renderers = {"md": to_markdown_file, "html": render_html_blocking, "json": to_json}
    if unknown := set(formats) - set(renderers):
        raise ValueError(f"unknown report format {', '.join(sorted(unknown))}: use {', '.join(renderers)}")
    files = {f"report.{name}": render(report).encode() for name, render in renderers.items() if name in formats}
    # Only the last part of a name: a report from a file must not write outside the folder.
    files |= {Path(picture.name).name: picture.data for picture in report.pictures}
    folder.mkdir(parents=True, exist_ok=True)
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
