"""The log of requests and connections, for assertions in tests. It has fingerprints of API keys, but no secrets."""

from __future__ import annotations

import hashlib
import json
import time
from collections import deque
from functools import lru_cache
from typing import Any

from interactions_emulator.recording.redaction import Redactor

MAX_REQUESTS = 100_000
"""Maximum number of requests kept."""
MAX_BODIES = 1_000
"""Number of latest requests whose bodies are kept."""
MAX_BODY_BYTES = 65_536
"""Maximum bytes of a body that is kept."""


class Log:
    """The requests since the server started, oldest first, and counts of connections."""

    def __init__(self) -> None:
        self.requests: deque[dict[str, Any]] = deque(maxlen=MAX_REQUESTS)
        self._bodies: deque[tuple[dict[str, Any], bytes]] = deque(maxlen=MAX_BODIES)
        self.opened = 0
        """Number of connections accepted since the start."""
        self.open = 0
        """Number of connections that are open now."""
        self.active_requests = 0
        """Number of requests being answered now, streams included."""
        self.last_activity = time.monotonic()
        """Time of the last activity, in seconds of `time.monotonic`."""

    def add(self, request: dict[str, Any], body: bytes = b"") -> None:
        request["time"], request["bytes"] = time.time(), len(body)
        self.requests.append(request)
        if 0 < len(body) <= MAX_BODY_BYTES:
            self._bodies.append((request, body))

    def with_bodies(self) -> list[dict[str, Any]]:
        """Return the requests, each with `body`: JSON without secrets, or None if it is not JSON or no longer kept."""
        bodies = {id(request): body for request, body in self._bodies}
        return [{**request, "body": _redacted_json(bodies.get(id(request), b""))} for request in self.requests]

    def touch(self) -> None:
        """Record activity now."""
        self.last_activity = time.monotonic()


def _redacted_json(body: bytes) -> Any:
    try:
        return json.loads(Redactor().data(body)) if body else None
    except ValueError:
        return None


@lru_cache(1_000)
def fingerprint(key: str) -> str:
    """Return a name for an API key that does not reveal it."""
    return f"key_{hashlib.sha256(key.encode()).hexdigest()[:8]}"
