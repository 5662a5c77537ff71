"""Creates folders and files of a person's data: briefs, reports, conversations, and the key that signs share links."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def create_private_folder(path: Path) -> None:
    """Creates a folder, and the missing ones above it, so that no other user of the machine can read them.

    A folder that exists is left as it is.

    Raises:
        OSError: it cannot be created.
    """
    for folder in (*reversed(path.parents), path):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)


def create_private_file(path: Path) -> None:
    """Creates an empty file that no other user of the machine can read, whoever can read its folder.

    A file that exists is left as it is. SQLite gives its journals the mode of the database.

    Raises:
        OSError: it cannot be created.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def is_open_to_others(folder: Path) -> bool:
    """Whether the mode of a folder lets other users of the machine into it; false if it is missing, and on Windows."""
    return os.name == "posix" and folder.is_dir() and bool(folder.stat().st_mode & 0o055)
