"""Timeouts, waits and retries of a research run, in one place."""

from __future__ import annotations

from dataclasses import dataclass

MAX_CREATE_ATTEMPTS = 4
"""How often a create is sent at most, if the server proves each time that it started nothing and allows a retry."""
MAX_RETRY_AFTER_S = 60.0
"""Longest wait between two tries of a create, in seconds; if the server asks for more, the job fails and says so."""
MIN_UPLOAD_BYTES_PER_S = 50_000
"""Slowest upload of documents, in bytes per second, that the timeout of a create allows for."""
REOPEN_AFTER_S = 0.1
"""Seconds until a stream that brought new events is opened again."""
MAX_NOT_FOUND = 3
"""Number of 404 answers in a row, with waits between them, after which an interaction counts as unknown."""


@dataclass(frozen=True)
class ResearchPolicy:
    """Timeouts and waits, in seconds."""

    create_timeout: float = 30
    """Longest wait for the first event of a create; after it the outcome counts as unknown."""
    silence: float = 90
    """Longest wait for an event before the stream is closed."""
    lease: float = 10
    """How long a lease is valid without renewal; then another process may take the job."""
    poll_first: float = 2
    """First wait between two reads of an interaction; each next one is twice as long."""
    poll_most: float = 30
    """Longest of these waits."""
    max_wait: float = 300
    """Longest wait between two reads, also if `Retry-After` is longer: a report must not wait for a day."""
    stall_after: float = 3600
    """Time without news before the job is stalled. By its documentation Deep Research ends within an hour."""
