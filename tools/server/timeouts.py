"""The server's timeouts, intervals and times for which it keeps something. `request_seconds` is in `settings.py`."""

from __future__ import annotations

# Connections and bodies of requests
DEFAULT_REQUEST_S = 60.0
"""Timeout for a request to arrive, where no setting gives another one."""
CLOSE_GRACE_S = 5.0
"""Seconds between the request timeout and the closing of the connection. Meanwhile a slow body is answered by 408."""
FULL_TIMEOUT_S = 10.0
"""Timeout for bodies to arrive, in seconds, once another body was refused because they fill the memory."""
SHUTDOWN_GRACE_S = 8
"""Seconds for requests to finish after SIGTERM; Cloud Run kills the process after 10 seconds."""
PING_INTERVAL_S = 15.0
"""Seconds without an event after which a comment is sent on an event stream."""

# Health checks
READINESS_TTL_S = 5.0
"""Seconds for which a readiness check is cached: the endpoint needs no token, so anybody can call it often."""
PROBE_TIMEOUT_S = 5.0
"""Timeout of the write to a store that a readiness check tries, in seconds."""

# Keys of an issuer of tokens
KEYS_TIMEOUT_S = 10.0
"""Timeout of a request for an issuer's keys (JWKS), in seconds."""
KEYS_INTERVAL_S = 60.0
"""Minimum seconds between two JWKS fetches that unknown key ids cause."""
KEY_TTL_S = 3600.0
"""Seconds for which fetched keys are used; a withdrawn key may be accepted for this long."""
KEYS_FAILURE_TTL_S = 1.0
"""For this many seconds after a failed fetch, requests fail at once. Else each waiting request would fetch again."""

# Counts of what a user stores
STORED_BYTES_TTL_S = 60.0
"""Seconds for which a count of stored bytes is used. What the user sends to this process meanwhile is added to it."""
REFUSAL_TTL_S = 5.0
"""Seconds for which a count of stored bytes is used to refuse requests: the user may have deleted something."""

# Webhook messages
WEBHOOK_TIMEOUT_S = 5.0
"""Timeout for a message to the webhook to arrive, in seconds."""
SIGNATURE_TOLERANCE_S = 300.0
"""Maximum difference in seconds between a webhook message's time and this machine's (documented: 5 minutes)."""
MESSAGE_ID_TTL_S = 2 * 86_400.0
"""Seconds for which a webhook's id is kept, to ignore repeats; the API repeats a webhook for up to a day."""
WEBHOOK_ANSWER_S = 10.0
"""Seconds from the arrival of a webhook message, up to which notices are sent before the answer."""
MIN_DELIVERY_S = 2.0
"""Seconds for which notices may be sent at least, even if the webhook message took longer than `WEBHOOK_ANSWER_S`."""

# A2A
INTERRUPTED_TASK_TTL_S = 60.0
"""Seconds for which an A2A task that waits for the user stays in memory; after that it is read from the database."""
PUSH_TIMEOUT_S = 5.0
"""Timeout of each step of a push notification to its receiver, in seconds."""
