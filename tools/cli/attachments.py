"""The option `--attach`: files that are sent with a message or a brief."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

MAX_ATTACHED_BYTES = 45 * 2**20
"""Maximum bytes of all attached files together. Base64 adds a third, and the emulator accepts requests of 64 MB."""

Attachments = Annotated[
    list[Path] | None, typer.Option("--attach", help="A picture, PDF, sound or text; may be repeated.")
]


def read_attachments(files: Sequence[Path]) -> list[tuple[str, bytes]]:
    """Reads attached files.

    Returns:
        The MIME type (`application/octet-stream` if unknown) and the contents of each file.

    Raises:
        typer.BadParameter: a file cannot be read or is empty, or all files together are too large.
    """
    found, size = list[tuple[str, bytes]](), 0
    for file in files:
        try:
            size += file.stat().st_size
            if size > MAX_ATTACHED_BYTES:
                limit = MAX_ATTACHED_BYTES // 2**20
                raise typer.BadParameter(f"{file}: all files may have at most {limit} MB together; attach less")
            data = file.read_bytes()
        except OSError as error:
            raise typer.BadParameter(f"{file}: {error.strerror}") from None
        if not data:
            raise typer.BadParameter(f"{file}: the file is empty")
        found.append((mimetypes.guess_type(file.name)[0] or "application/octet-stream", data))
    return found
