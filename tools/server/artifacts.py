"""The store of the conversations' files: opens it, and counts what a user has in it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from google.adk.artifacts import BaseArtifactService
from google.adk.artifacts.base_artifact_service import ArtifactVersion
from google.adk.artifacts.file_artifact_service import FileArtifactService
from google.adk.artifacts.in_memory_artifact_service import InMemoryArtifactService
from google.adk.cli.service_registry import get_service_registry
from google.auth.exceptions import GoogleAuthError

from tools.app import APP_NAME
from tools.files.private_files import create_private_folder
from tools.settings import ROOT, SettingsError

FILE_BYTES = 4096
"""Bytes that a file or a folder takes at least: very many small files fill a disk too."""


def new_artifacts(url: str) -> BaseArtifactService:
    """Returns the service that stores files.

    Raises:
        SettingsError: the address is unknown or unusable.
    """
    try:
        found: BaseArtifactService | None = get_service_registry().create_artifact_service(url, agents_dir=str(ROOT))
    except ImportError:
        raise SettingsError("DESK_ARTIFACTS_URL needs one more package: pip install google-cloud-storage") from None
    except (GoogleAuthError, ValueError, OSError) as error:
        raise SettingsError(f"DESK_ARTIFACTS_URL cannot be used: {error}") from None
    if found is None:
        raise SettingsError("DESK_ARTIFACTS_URL is not known here: write gs://BUCKET or file://FOLDER")
    _hide_addresses(found)
    return found


def _hide_addresses(artifacts: BaseArtifactService) -> None:
    """Empties the address of a stored file in answers: it names a folder of the server, or its bucket."""
    one, all_ = artifacts.get_artifact_version, artifacts.list_artifact_versions

    async def get_artifact_version(**values: Any) -> ArtifactVersion | None:
        found = await one(**values)
        return _without_address(found) if found else None

    async def list_artifact_versions(**values: Any) -> list[ArtifactVersion]:
        return [_without_address(each) for each in await all_(**values)]

    vars(artifacts).update(get_artifact_version=get_artifact_version, list_artifact_versions=list_artifact_versions)


def _without_address(version: ArtifactVersion) -> ArtifactVersion:
    return version.model_copy(update={"canonical_uri": ""})


def folder_url(place: Path) -> str:
    """Makes a folder that only this user can read, and returns its address."""
    create_private_folder(place)
    return place.resolve().as_uri()


def file_bytes(artifacts: BaseArtifactService, user: str) -> int:
    """Returns the bytes of all versions of a user's files. Blocks."""
    if isinstance(artifacts, FileArtifactService):
        return _folder_bytes(artifacts._base_root(APP_NAME, user))
    prefix = f"{APP_NAME}/{user}/"
    if isinstance(artifacts, InMemoryArtifactService):
        versions = [each for path, found in [*artifacts.artifacts.items()] if path.startswith(prefix) for each in found]
        return sum(max(FILE_BYTES, len(each.data.model_dump_json())) for each in versions)
    bucket: Any = artifacts  # `GcsArtifactService`, whose import needs the package of Google Cloud
    fields = "items(size),nextPageToken"
    blobs = bucket.storage_client.list_blobs(bucket.bucket, prefix=prefix, fields=fields)
    return sum(max(FILE_BYTES, each.size or 0) for each in blobs)


def _folder_bytes(folder: Path) -> int:
    total = 0
    with suppress(FileNotFoundError):  # there is none, or it is deleted meanwhile
        for each in [*os.scandir(folder)]:
            with suppress(FileNotFoundError):
                inside = _folder_bytes(Path(each)) if each.is_dir(follow_symlinks=False) else 0
                total += inside + max(FILE_BYTES, each.stat(follow_symlinks=False).st_size)
    return total
