"""Timeouts, intervals and retries of notices."""

from __future__ import annotations

SEND_TIMEOUT_S = 10.0
"""Maximum seconds of an attempt to send."""
DELIVERY_INTERVAL_S = 5.0
"""Seconds between two searches of the ledger for notices that are due."""
NOTICE_LEASE_S = 60.0
"""Seconds for which a process has a notice that it sends; longer than `SEND_TIMEOUT_S`."""
RETRY_AFTER_S = (10.0, 60.0, 300.0, 1_800.0, 7_200.0, 21_600.0, 50_400.0)
"""Seconds between two attempts at a notice: eight attempts in about a day."""
MAX_WRITES = 5
"""Maximum number of attempts to write the result of a sending, one a second."""
FINAL_DELIVERY_TIMEOUT_S = SEND_TIMEOUT_S + 5.0
"""Maximum seconds that a command waits for its last notices."""
MAX_DESCRIPTION_WAIT_S = 60.0
"""Maximum seconds for which the notice about a run of a schedule waits for a model's description of the changes."""
