"""Limits how many turns a user runs at a time and starts in a minute, and how much a user reads at a time.

Each replica counts for itself.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tools.errors import DeskError

MAX_READS = 4
"""Maximum number of a user's requests about conversations, beside turns, that are served at a time; others wait.

A conversation may have megabytes, and a list of conversations has the state of each.
"""


class RateLimited(DeskError):
    """A user is over a limit. The message names the limit.

    Args:
        retry_after_s: seconds to wait; 0 if waiting does not help.
    """

    def __init__(self, text: str, retry_after_s: int = 0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


@dataclass
class RateLimiter:
    """Counts the turns of each user on this replica."""

    at_once: int
    per_minute: int
    clock: Callable[[], float] = time.monotonic
    _running: dict[str, int] = field(default_factory=dict)
    _begun: dict[str, deque[float]] = field(default_factory=dict)
    """Maps each user to the start times of turns in the last minute. The user with the oldest last turn comes first."""

    @contextmanager
    def limit(self, user: str) -> Iterator[None]:
        """Counts a turn while the block runs.

        Raises:
            RateLimited: the user has to wait.
        """
        now = self.clock()
        while self._begun and (first := next(iter(self._begun.items())))[1][-1] <= now - 60:
            del self._begun[first[0]]
        begun = self._begun.get(user, deque())
        while begun and begun[0] <= now - 60:
            begun.popleft()
        if len(begun) >= self.per_minute:
            raise RateLimited(f"more than {self.per_minute} turns in a minute", int(begun[0] + 60 - now) + 1)
        if self._running.get(user, 0) >= self.at_once:
            raise RateLimited(f"more than {self.at_once} turns at a time", 1)
        begun.append(now)
        self._begun[user] = self._begun.pop(user, begun)
        self._running[user] = self._running.get(user, 0) + 1
        try:
            yield
        finally:
            self._running[user] -= 1
            if not self._running[user]:
                del self._running[user]
