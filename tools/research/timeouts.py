"""Timeouts, waits, poll intervals and retries of a research run, in one place."""

from __future__ import annotations

from dataclasses import dataclass

MAX_CREATE_ATTEMPTS = 4
"""A create request is sent at most this many times. It is sent again only if certainly nothing started."""
FIRST_CREATE_WAIT_S = 2.0
"""Seconds between the first two attempts at a create request, unless the server asks for another wait."""
MAX_RETRY_AFTER_S = 60.0
"""Maximum seconds between two attempts at a create request. If the server asks for more, the job fails and says so."""
FIRST_SAVE_WAIT_S, MAX_SAVE_WAIT_S = 0.5, 30.0
"""First and longest pause in seconds between two attempts to save an interaction's id."""
MIN_UPLOAD_BYTES_PER_S = 50_000
"""The timeout of a create request allows for uploads of documents at this speed or faster, in bytes per second."""
REOPEN_AFTER_S = 0.1
"""Pause in seconds between a stream that brought new events and the next stream."""
MAX_NOT_FOUND = 3
"""An interaction counts as gone after this many 404 answers in a row, with waits between them."""


@dataclass(frozen=True)
class ResearchTimeouts:
    """Timeouts, waits and poll intervals, in seconds."""

    create_timeout_s: float = 30
    """Maximum wait for the first event of a create request. After that, it is unknown whether a run was started."""
    silence_timeout_s: float = 90
    """Maximum wait for an event before the stream is closed."""
    lease_s: float = 10
    """How long a lease is valid without renewal; then another process may take the job."""
    first_poll_s: float = 2
    """Wait between the first two reads of an interaction. Each further wait is twice as long."""
    max_poll_s: float = 30
    """Maximum wait between two reads."""
    max_wait_s: float = 300
    """Maximum wait between two reads, even if `Retry-After` asks for more: a report must not wait for a day."""
    webhook_wait_s: float = 8
    """Maximum wait until the result that a webhook's message announces is saved, before the message is answered."""
    stall_after_s: float = 3600
    """Time without news after which the job is stalled. Deep Research's documentation limits a run to an hour."""
