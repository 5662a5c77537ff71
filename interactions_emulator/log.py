"""What happened, for assertions: requests and connections. Nothing secret is kept, of keys only a fingerprint."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from functools import lru_cache
from typing import Any

MOST = 100_000
"""Requests that are remembered."""


class Log:
    """Requests since the server started, oldest first, and its connections."""

    def __init__(self) -> None:
        self.requests: deque[dict[str, Any]] = deque(maxlen=MOST)
        self.opened = 0
        """Connections ever accepted."""
        self.open = 0
        self.busy = 0
        """Requests being answered now, streams among them."""
        self.last = time.monotonic()
        """When there was last something to do, in seconds of `time.monotonic`."""

    def add(self, request: dict[str, Any]) -> None:
        request["time"] = time.time()
        self.requests.append(request)

    def touch(self) -> None:
        """There is something to do now."""
        self.last = time.monotonic()


@lru_cache(1_000)
def fingerprint(key: str) -> str:
    """Return a name for an API key that does not give it away."""
    return f"key_{hashlib.sha256(key.encode()).hexdigest()[:8]}"
