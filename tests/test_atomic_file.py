"""A file is written whole or not at all, and nothing but a regular file is replaced."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tools.files.atomic_file import write_whole, written_whole


def make_device(path: Path) -> None:
    """A device node of its own that swallows what is written."""
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("device nodes cannot be made here")


@pytest.mark.parametrize("make", [make_device, os.mkfifo, Path.mkdir])
def test_a_device_a_pipe_and_a_folder_are_refused_and_stay(make: object, tmp_path: Path) -> None:
    path = tmp_path / "out"
    make(path)  # type: ignore[operator]
    mode = path.lstat().st_mode
    with pytest.raises(OSError, match="Not a regular file") as refused:
        write_whole(path, "text")
    assert (refused.value.filename, path.lstat().st_mode, [*tmp_path.iterdir()]) == (str(path), mode, [path])


@pytest.mark.parametrize("exists", [True, False])
def test_the_file_that_a_link_names_is_replaced_and_the_link_stays(exists: bool, tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    if exists:
        target.write_text("before")
        target.chmod(0o600)
    write_whole(link, "after")
    assert (link.readlink(), target.read_text()) == (target, "after")
    assert not exists or stat.S_IMODE(target.stat().st_mode) == 0o600


def test_an_error_while_writing_keeps_the_former_file_and_leaves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("before")
    with pytest.raises(OSError, match="disk") as full, written_whole(path) as temporary:
        temporary.write_text("half")
        raise OSError(28, "no space on the disk")
    assert (full.value.filename, path.read_text(), [*tmp_path.iterdir()]) == (str(path), "before", [path])
