"""Uploaded files, which interactions and generateContent may refer to by their `uri`. They expire after 48 hours.

POST               /upload/{version}/files    see `http/upload_protocol.py`
GET                /{version}/files           pages of `pageSize` (10, at most 100)
GET, DELETE        /{version}/files/{id}
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from interactions_emulator.engine.clock import Clock
from interactions_emulator.engine.events import timestamp
from interactions_emulator.engine.state_store import Journal
from interactions_emulator.errors import Refused
from interactions_emulator.files.blobs import Blobs
from interactions_emulator.files.uploads import Upload
from interactions_emulator.ids import new_id
from interactions_emulator.limits import FileLimits
from interactions_emulator.requests.fields import object_field, text_field

LIFETIME_S = 48 * 3_600.0
PROCESSING_S = 10.0
"""Virtual seconds until a video can be used; other files can be used at once."""
_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


@dataclass
class File:
    """One file. Times are virtual seconds since 1970. Its content is the blob `blob`."""

    id: str
    blob: str
    mime_type: str
    size: int
    sha256: str
    uri: str
    create_time: float
    display_name: str = ""

    @property
    def expiration_time(self) -> float:
        return self.create_time + LIFETIME_S


class Files:
    """The uploaded files. Methods raise `Refused` (400, 403, 409)."""

    def __init__(self, journal: Journal, clock: Clock, blobs: Blobs, limits: FileLimits) -> None:
        self._journal = journal
        self._clock = clock
        self._blobs = blobs
        self._limits = limits
        self._all = {key: File(**value) for key, value in journal.read("file")}

    def __bool__(self) -> bool:
        """Whether there is any file."""
        return bool(self._all)

    def create(self, upload: Upload, base_url: str) -> dict[str, Any]:
        """Make a file of a complete upload. The metadata of the upload may have a name and a display name for it."""
        metadata = object_field(upload.metadata, "file")
        self._remove_expired()
        file_id = self._checked_id(text_field(metadata, "name"))
        size = self._blobs.size(upload.id)
        if size + sum(file.size for file in self._all.values()) > self._limits.total:
            raise Refused(400, f"all files have at most {self._limits.total} bytes together: delete some")
        file = File(
            file_id,
            upload.id,
            text_field(metadata, "mimeType") or upload.mime_type,
            size,
            self._blobs.sha256(upload.id),
            f"{base_url}/v1beta/files/{file_id}",
            self._clock.now(),
            text_field(metadata, "displayName"),
        )
        self._all[file_id] = file
        self._journal.write(("file", file_id, file))
        return self.resource(file)

    def find(self, file_id: str) -> File:
        """Return a file. Raises `Refused` (403, as the real service does) if it is unknown, deleted or expired."""
        if (file := self.known(file_id)) is None:
            raise Refused(
                403,
                f"You do not have permission to access the File {file_id} or it may not exist. "
                "A file expires 48 hours after its upload: upload it again.",
            )
        return file

    def known(self, file_id: str) -> File | None:
        """Return a file that has not expired, None if there is none."""
        file = self._all.get(file_id)
        return file if file and file.expiration_time > self._clock.now() else None

    def show(self) -> list[dict[str, Any]]:
        """Return all files, oldest first."""
        self._remove_expired()
        return [self.resource(file) for file in self._all.values()]

    def delete(self, file_id: str) -> dict[str, Any]:
        self._remove(self.find(file_id))
        return {}

    def content(self, file: File) -> bytes:
        return self._blobs.read(file.blob)

    def check_usable(self, file_id: str) -> None:
        """Raise `Refused` (400, 403) unless requests may use the file."""
        if not self._processed(self.find(file_id)):
            raise Refused(
                400,
                f"The File {file_id} is not in an ACTIVE state and usage is not allowed: wait until it is ACTIVE",
            )

    def resource(self, file: File) -> dict[str, Any]:
        """Return a file as the API shows it."""
        shown = {
            "name": f"files/{file.id}",
            "displayName": file.display_name,
            "mimeType": file.mime_type,
            "sizeBytes": str(file.size),
            "createTime": timestamp(file.create_time),
            "updateTime": timestamp(file.create_time),
            "expirationTime": timestamp(file.expiration_time),
            "sha256Hash": file.sha256,
            "uri": file.uri,
            "state": "ACTIVE" if self._processed(file) else "PROCESSING",
            "source": "UPLOADED",
        }
        return {key: value for key, value in shown.items() if value}

    def _processed(self, file: File) -> bool:
        return not file.mime_type.startswith("video/") or self._clock.reaches(file.create_time + PROCESSING_S)

    def _remove_expired(self) -> None:
        for file in list(self._all.values()):
            if not self.known(file.id):
                self._remove(file)

    def _checked_id(self, name: str) -> str:
        """The id in a name that the client chose; a new id if it chose none."""
        if not name:
            return new_id()
        file_id = name.removeprefix("files/")
        if not _ID.fullmatch(file_id):
            raise Refused(400, f"name {name!r} is not allowed: at most 40 lower-case letters, digits and inner dashes")
        if self.known(file_id):
            raise Refused(409, f"File {file_id} exists already: choose another name, or delete the file")
        return file_id

    def _remove(self, file: File) -> None:
        del self._all[file.id]
        self._blobs.delete(file.blob)
        self._journal.write(("file", file.id, None))
