"""The log of requests and connections, for assertions in tests and for the timeline. It has no secrets.

API keys appear as fingerprints; whoever shows bodies and headers of a `Capture` removes the secrets from them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from interactions_emulator.recording.redaction import SECRET_HEADERS, Redactor

MAX_REQUESTS = 100_000
"""Maximum number of requests kept."""
MAX_CAPTURES = 1_000
"""Number of latest requests whose bodies and answers are kept."""
MAX_BODY_BYTES = 65_536
"""Maximum bytes of a request's body that are kept, and of its answer."""


@dataclass(slots=True)
class Capture:
    """One request and its answer; long bodies are cut."""

    entry: dict[str, Any]
    """The request in the log. Its `seconds` are the real seconds until the end of the answer; None while it lasts."""
    number: int
    """Number of the request, counted from 1 since the server started."""
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    query: bytes = b""
    body: bytes = b""
    content_type: str = ""
    answer: list[tuple[float, bytes]] = field(default_factory=list)
    """The pieces of the answer, each with the real seconds since the request. The last ones can be missing."""
    answer_bytes: int = 0
    _began: int = field(default_factory=time.monotonic_ns)

    def begin(self, content_type: str) -> None:
        """Record that the answer begins."""
        self.content_type = content_type

    def add(self, piece: bytes) -> None:
        """Record a piece of the answer."""
        self.answer_bytes += len(piece)
        if self.answer_bytes <= MAX_BODY_BYTES:
            self.answer.append((self._seconds(), piece))

    def reply(self, content_type: str, body: bytes) -> None:
        """Record a whole answer."""
        self.begin(content_type)
        self.add(body)
        self.end()

    def end(self) -> None:
        """Record that the answer has ended, or that its connection was closed."""
        if self.entry["seconds"] is None:
            self.entry["seconds"] = self._seconds()

    def redactor(self) -> Redactor:
        """Return a redactor that knows the secrets in the headers and in the query."""
        redactor = Redactor(value.decode("latin-1") for name, value in self.headers.items() if name in SECRET_HEADERS)
        redactor.query(self.query.decode("latin-1"))
        return redactor

    def _seconds(self) -> float:
        return (time.monotonic_ns() - self._began) // 1000 / 1e6


class Log:
    """The requests since the server started, oldest first, and counts of connections."""

    def __init__(self) -> None:
        self.requests: deque[dict[str, Any]] = deque(maxlen=MAX_REQUESTS)
        self.captures: deque[Capture] = deque(maxlen=MAX_CAPTURES)
        self.opened = 0
        """Number of connections accepted since the start."""
        self.open = 0
        """Number of connections that are open now."""
        self.last_activity = time.monotonic()
        """Time of the last activity, in seconds of `time.monotonic`."""
        self._count = 0

    def add(
        self,
        request: dict[str, Any],
        headers: Mapping[bytes, bytes] | None = None,
        query: bytes = b"",
        body: bytes = b"",
    ) -> Capture:
        """Add a request. The server records the answer in the capture that is returned."""
        request["time"], request["seconds"], request["bytes"] = time.time(), None, len(body)
        self.requests.append(request)
        self._count += 1
        kept = body if len(body) <= MAX_BODY_BYTES else b""
        capture = Capture(request, self._count, headers or {}, query, kept)
        self.captures.append(capture)
        return capture

    def with_bodies(self) -> list[dict[str, Any]]:
        """Return the requests, each with `body`: JSON without secrets, or None if it is not JSON or no longer kept."""
        bodies = {id(capture.entry): _redacted_json(capture) for capture in self.captures}
        return [{**request, "body": bodies.get(id(request))} for request in self.requests]

    def touch(self) -> None:
        """Record activity now."""
        self.last_activity = time.monotonic()


def _redacted_json(capture: Capture) -> Any:
    try:
        return json.loads(capture.redactor().data(capture.body)) if capture.body else None
    except (ValueError, RecursionError):
        return None


@lru_cache(1_000)
def fingerprint(key: str) -> str:
    """Return a name for an API key that does not reveal it."""
    return f"key_{hashlib.sha256(key.encode()).hexdigest()[:8]}"
