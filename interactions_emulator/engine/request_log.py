"""What happened, for assertions: requests and connections. Nothing secret is kept, of keys only a fingerprint."""

from __future__ import annotations

import hashlib
import json
import time
from collections import deque
from functools import lru_cache
from typing import Any

from interactions_emulator.recording.redaction import Redactor

MOST = 100_000
"""Requests that are remembered."""
BODIES = 1_000
"""The latest of them whose bodies are kept."""
LARGEST_BODY = 65_536
"""Bytes of a body that is kept."""


class Log:
    """Requests since the server started, oldest first, and its connections."""

    def __init__(self) -> None:
        self.requests: deque[dict[str, Any]] = deque(maxlen=MOST)
        self._bodies: deque[tuple[dict[str, Any], bytes]] = deque(maxlen=BODIES)
        self.opened = 0
        """Connections ever accepted."""
        self.open = 0
        self.busy = 0
        """Requests being answered now, streams among them."""
        self.last = time.monotonic()
        """When there was last something to do, in seconds of `time.monotonic`."""

    def add(self, request: dict[str, Any], body: bytes = b"") -> None:
        request["time"], request["bytes"] = time.time(), len(body)
        self.requests.append(request)
        if 0 < len(body) <= LARGEST_BODY:
            self._bodies.append((request, body))

    def with_bodies(self) -> list[dict[str, Any]]:
        """The requests with their bodies, as far as they are kept and are JSON, without secrets."""
        bodies = {id(request): body for request, body in self._bodies}
        return [{**request, "body": _readable(bodies.get(id(request), b""))} for request in self.requests]

    def touch(self) -> None:
        """There is something to do now."""
        self.last = time.monotonic()


def _readable(body: bytes) -> Any:
    try:
        return json.loads(Redactor().data(body)) if body else None
    except ValueError:
        return None


@lru_cache(1_000)
def fingerprint(key: str) -> str:
    """Return a name for an API key that does not give it away."""
    return f"key_{hashlib.sha256(key.encode()).hexdigest()[:8]}"
