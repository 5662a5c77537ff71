"""The limits on what clients may send, keep and have open."""

from __future__ import annotations

from dataclasses import dataclass, field

RETENTION_DAYS = 55.0
"""Virtual days that an interaction is kept by default, as on the paid tier; the free one keeps it for one day."""
MAX_SCOPES = 1_000
MAX_QUEUED_REQUESTS = 100
"""Maximum number of requests that wait on one connection; at this number the server stops reading from it."""
MAX_NAME_CHARS = 512
"""Maximum characters of a display name and of similar names."""
MAX_STORES_IN_TOOL = 5
"""Maximum number of file-search stores in one tool, as in the real service."""
MAX_METADATA_ENTRIES = 20
"""Maximum number of entries in the custom metadata of a document."""
GIGABYTE = 2**30


@dataclass(frozen=True)
class FileLimits:
    """Limits on what may be uploaded, in bytes; by default those of the Gemini API."""

    file: int = 2 * GIGABYTE
    total: int = 20 * GIGABYTE
    document: int = 100 * 2**20
    """A document of a file-search store."""


@dataclass(frozen=True)
class ServerLimits:
    """Limits on what clients may use."""

    max_body_bytes: int = 64 * 2**20
    """Maximum bytes of a request's body."""
    max_concurrent_requests: int = 2_000
    """Maximum number of requests answered at once; usually these are streams."""
    max_stored: int = 10_000
    """Maximum number of interactions kept; beyond that the oldest one that has ended is deleted."""
    files: FileLimits = field(default_factory=FileLimits)
