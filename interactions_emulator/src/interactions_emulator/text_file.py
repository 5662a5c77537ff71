"""Reads files that the user names, such as scenarios and faults."""

from __future__ import annotations

from pathlib import Path

from interactions_emulator.errors import Refused


def read_text_file(path: Path, name: str) -> str:
    """Return the text of a file. Raises `Refused` (400), whose message begins with `name`.

    Only a regular file is opened: to open a pipe would wait until something writes to it.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise Refused(400, f"{name} is a pipe or a device: save its contents to a file, and name that")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(400, f"{name}: {error.strerror}: name a file that can be read") from error
    except UnicodeDecodeError as error:
        raise Refused(400, f"{name}: this is not UTF-8 ({error}): save it as UTF-8") from error
