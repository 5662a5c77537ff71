"""The option `--attach`: files that are sent with a message or a brief."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tools.files.regular_file import regular_size
from tools.interactions.media_types import is_text

MAX_ATTACHED_BYTES = 45 * 2**20
"""Maximum bytes of all attached files together. Base64 adds a third, and the emulator accepts requests of 64 MB."""

_SIGNATURES = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
"""The bytes with which files of a media type begin. A file without them is damaged, or of another kind."""
_HEAD_BYTES = 1_024
"""Readers of PDF find its signature within this many bytes."""

Attachments = Annotated[
    list[Path] | None, typer.Option("--attach", metavar="FILE", help="A picture, PDF, sound or text; may be repeated.")
]


def read_attachments(files: Sequence[Path]) -> list[tuple[str, bytes]]:
    """Reads attached files.

    Returns:
        The MIME type and the contents of each file.

    Raises:
        typer.BadParameter: a file cannot be read, is empty or of another kind, or all files together are too large.
    """
    found, size = list[tuple[str, bytes]](), 0
    for file in files:
        try:
            size += regular_size(file)
            if size > MAX_ATTACHED_BYTES:
                limit = MAX_ATTACHED_BYTES // 2**20
                raise typer.BadParameter(f"{file}: all files may have at most {limit} MB together; attach less")
            data = file.read_bytes()
        except OSError as error:
            raise typer.BadParameter(f"{file}: {error.strerror}") from None
        if not data:
            raise typer.BadParameter(f"{file}: the file is empty")
        found.append((_kind(file, data), data))
    return found


def _kind(file: Path, data: bytes) -> str:
    """The MIME type by the file's name; `text/plain` if the name says nothing and the contents are text."""
    kind = mimetypes.guess_type(file.name)[0] or ""
    if _SIGNATURES.get(kind, b"") not in data[:_HEAD_BYTES]:
        name = kind.partition("/")[2].upper()
        raise typer.BadParameter(f"{file}: the contents are no {name}: rename the file, or repair it")
    if kind.startswith(("image/", "audio/", "video/")) or kind == "application/pdf" or is_text(kind):
        return kind
    try:
        if not kind and b"\0" not in data and data.decode():
            return "text/plain"
    except UnicodeDecodeError:
        pass
    raise typer.BadParameter(f"{file}: it is no picture, PDF, sound or text: leave it out, or convert it")
