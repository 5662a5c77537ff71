"""The contents of uploaded files, on disk."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from functools import cached_property
from pathlib import Path


class Blobs:
    """Contents by name, in a folder. Without a folder they are in a temporary one, which is removed at the end."""

    def __init__(self, folder: Path | None) -> None:
        self._given = folder

    def append(self, name: str, data: bytes) -> None:
        with self.path(name).open("ab") as file:
            file.write(data)

    def size(self, name: str) -> int:
        """Return the number of bytes, 0 if there are none."""
        path = self.path(name)
        return path.stat().st_size if path.exists() else 0

    def sha256(self, name: str) -> str:
        """Return the hash as the API shows it: the hexadecimal digits, encoded in base64."""
        with self.path(name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return base64.b64encode(digest.encode()).decode()

    def read(self, name: str) -> bytes:
        return self.path(name).read_bytes()

    def delete(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        """Return where a content is."""
        return self._folder / name

    @cached_property
    def _folder(self) -> Path:
        if self._given is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="interactions-emulator-")
            return Path(self._temporary.name)
        self._given.mkdir(parents=True, exist_ok=True)
        return self._given
