"""The page's timeouts, intervals and times of validity. The times of share links are in `share_links.py`."""

from __future__ import annotations

FORM_TTL_S = 12 * 3600.0
"""Seconds for which a form can be sent after its page was shown."""
ANSWER_WAIT_S = 25.0
"""Seconds for which a request waits for the answer to a question about a report. The answer is saved in any case."""
HEARTBEAT_INTERVAL_S = 15.0
"""Seconds without an event after which a comment is sent, since proxies close silent connections."""
MAX_STREAM_S = 240.0
"""Seconds after which live progress ends; the browser opens the next stream, which continues after the last line."""
MAX_DRAIN_WAIT_S = 60.0
"""Seconds after which a client that has not taken a piece is cut off."""
LOCAL_SHUTDOWN_GRACE_S = 1
"""Seconds for requests to finish after Ctrl-C on `desk board`."""
