"""Checks a file that a person names before it is opened: to open a pipe may wait for ever, and a device has no end."""

from __future__ import annotations

import errno
import stat
from pathlib import Path


def regular_size(path: Path) -> int:
    """Returns the size of a regular file, in bytes. Links are followed.

    Raises:
        OSError: there is no such file, or it is a folder, a pipe, a socket or a device.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "Is a directory", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "a pipe or a device, not a file: save its contents to a file first", str(path))
    return status.st_size
