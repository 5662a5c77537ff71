"""Uploads in progress: a file that comes in one or several chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from interactions_emulator.engine.state_store import Journal
from interactions_emulator.errors import Refused
from interactions_emulator.files.blobs import Blobs
from interactions_emulator.limits import FileLimits


@dataclass
class Upload:
    """An upload in progress. Its content is the blob with its id."""

    id: str
    target: str
    """The place that the file goes to: `files`, or the name of a file-search store."""
    metadata: dict[str, Any]
    """The body of the request that started the upload."""
    mime_type: str
    size: int | None
    """Number of bytes that were announced, None if the client did not say."""
    name: str = ""
    """Name of the file on the client's disk, "" if the client did not say."""


class Uploads:
    """The uploads in progress. Methods raise `Refused` (400, 404, 413)."""

    def __init__(self, journal: Journal, blobs: Blobs, limits: FileLimits) -> None:
        self._journal = journal
        self._blobs = blobs
        self._limits = limits
        self._all = {key: Upload(**value) for key, value in journal.read("upload")}

    def start(self, upload: Upload) -> Upload:
        self._check_size(upload.size or 0)
        self._all[upload.id] = upload
        self._journal.write(("upload", upload.id, upload))
        return upload

    def find(self, upload_id: str) -> Upload:
        if upload_id not in self._all:
            raise Refused(404, f"Upload {upload_id} was not found: it is complete or was cancelled. Start a new one.")
        return self._all[upload_id]

    def is_active(self, upload: Upload) -> bool:
        return upload.id in self._all

    def received(self, upload: Upload) -> int:
        """Return the number of bytes received so far."""
        return self._blobs.size(upload.id)

    def append(self, upload: Upload, offset: int, data: bytes) -> None:
        """Add a chunk that begins `offset` bytes after the start."""
        received = self.received(upload)
        if offset != received:
            raise Refused(400, f"X-Goog-Upload-Offset is {offset}, but {received} bytes have arrived: go on from there")
        if upload.size is not None and received + len(data) > upload.size:
            raise Refused(400, f"the file has more than the {upload.size} bytes that were announced")
        self._check_size(received + len(data))
        self._blobs.append(upload.id, data)

    def finish(self, upload: Upload) -> None:
        """End an upload whose content is complete; the content stays."""
        received = self.received(upload)
        if upload.size is not None and received != upload.size:
            raise Refused(400, f"only {received} of the {upload.size} bytes that were announced have arrived")
        if not received:
            raise Refused(400, "the file is empty: send at least one byte")
        self._forget(upload)

    def cancel(self, upload: Upload) -> None:
        """End an upload, and delete its content."""
        self._forget(upload)
        self._blobs.delete(upload.id)

    def _forget(self, upload: Upload) -> None:
        self._all.pop(upload.id, None)
        self._journal.write(("upload", upload.id, None))

    def _check_size(self, size: int) -> None:
        if size > self._limits.file:
            raise Refused(400, f"a file has at most {self._limits.file} bytes, not {size}")
