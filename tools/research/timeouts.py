"""Timeouts, waits, leases, intervals and retries of research, in one place; those of notices are in `notices/`."""

from __future__ import annotations

from dataclasses import dataclass

API_TIMEOUT_S = 60.0
"""Timeout in seconds for an answer of the API that is not a stream."""
MODEL_TIMEOUT_FACTOR = 4
"""The timeout for a model's answer is this many times the timeout for other answers."""
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
RECOVERY_INTERVAL_S = 20.0
"""Seconds between two searches of the ledger for orphaned jobs, and for schedules that are due."""
ORDERS_INTERVAL_S = 1.0
"""Seconds between two searches of `desk work` for orders that processes with `DESK_FOLLOW=0` have saved."""
ANSWER_POLL_INTERVAL_S = 1.0
"""Seconds between two reads of the ledger, while another process waits for the answer."""
MAX_ANSWER_WAIT_S = 300.0
"""Seconds after which a caller gets `AnswerLater`; longer than a request to a model may take."""
ANSWER_LEASE_FACTOR = 1.5
"""The lease of the lock on a question, as a multiple of the timeout of a request to a model.

A lease is renewed after a third of its time. While its request may still be running, a frozen process keeps the
question, so that no other process pays for it again.
"""
CHANGES_POLL_INTERVAL_S = 1.0
"""Seconds between two reads of the watched jobs if the database sends no notifications."""
MAX_CHANGES_POLL_INTERVAL_S = 15.0
"""Maximum seconds between two reads of the watched jobs if it does: no change is lost with a notification."""
LEASE_EXPIRY_MARGIN_S = 0.05
"""Seconds after the expiry of a lease when it is read again."""
LISTEN_CHECK_INTERVAL_S = 60.0
"""Seconds between two checks that notifications arrive."""
LISTEN_CHECK_TIMEOUT_S = 20.0
"""Seconds within which the notification of a check has to arrive."""
FIRST_LISTEN_WAIT_S, MAX_LISTEN_WAIT_S = 1.0, 120.0
"""First and longest pause in seconds between two attempts to listen, on average."""
LOCK_LEASE_S = 15.0
"""Usual duration of a lease in seconds: a lock stays held at most this long after the process of its holder died."""
STALLED_CHECK_INTERVAL_S = 3_600.0
"""Seconds between two reads of a stalled run."""
MAX_UNSENT_AGE_S = 3_600.0
"""Seconds after which an order that was never sent is too old to be sent without a new check.

`Research.start_unsent` leaves it out. A schedule's order is checked against the ceiling and the limits again.
"""
ORPHAN_AFTER_S = 15.0
"""Seconds after which an unsent order without a lease counts as orphaned."""
WATCH_GRACE_S = 10.0
"""Seconds that `watch` waits for the ledger beyond its own `seconds`."""
UNSENT_WARNING_S = 15.0
"""Seconds after which a watcher is told that no process starts an order."""
DATABASE_TIMEOUT_S = 30
"""Maximum seconds for a connection to PostgreSQL or one statement there, and for the wait for SQLite's lock."""
OVERDUE_AFTER_S = 120.0
"""Seconds after which a run that is due, and not started, is called overdue."""


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
