"""Writes files whole or not at all. Only regular files are replaced."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex


def replaceable(path: Path) -> Path:
    """Follows links, and returns the path of the regular file that can be replaced or made there.

    Raises:
        OSError: `path` is a folder, a device or a pipe.
    """
    target = Path(os.path.realpath(path))
    if os.path.lexists(target) and not target.is_file():
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return target


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Gives a temporary path to write to. It replaces the file at the end, and is deleted if there is an error.

    Links are followed: the file that `path` links to is replaced, and the link stays. A replaced file keeps its mode.

    Raises:
        OSError: `path` is a folder, a device or a pipe, or the file cannot be written. The error names `path`.
    """
    target = replaceable(path)
    temporary = target.with_name(f".{target.name}.{token_hex(4)}.part")
    try:
        yield temporary
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except OSError as error:  # the error of a full disk names no file, and other errors name the temporary file
        if error.filename in (None, str(temporary)):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes | str) -> None:
    """Writes a file whole or not at all; text in UTF-8.

    Raises:
        OSError: as of `written_whole`.
    """
    with written_whole(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)
