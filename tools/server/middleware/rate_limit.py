"""Limits how many turns a user runs at a time and starts in a minute, and what a user reads and changes beside them.

Each replica counts for itself.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tools.errors import DeskError

MAX_READS = 4
"""Maximum number of a user's requests about conversations, beside turns, that are served at a time; others wait.

A conversation may have megabytes.
"""
CHANGES_PER_TURN = 5
"""A user may change conversations and files, beside turns, this many times as often as start a turn."""
LARGE_CHANGE_BYTES = 10_000
"""Bytes of such a change above which it counts as a turn too: it takes about as much of the process."""


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
    """Counts the turns of each user on this replica, or something else that users do.

    Args:
        what: what it counts, in the plural.
    """

    at_once: int
    per_minute: int
    what: str = "turns"
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
        begun = self._begun_in_a_minute(user)
        if self._running.get(user, 0) >= self.at_once:
            raise RateLimited(f"more than {self.at_once} {self.what} at a time", 1)
        self._begin(user, begun)
        self._running[user] = self._running.get(user, 0) + 1
        try:
            yield
        finally:
            self._running[user] -= 1
            if not self._running[user]:
                del self._running[user]

    def count(self, user: str) -> None:
        """Counts a turn in its minute, and not in those at a time.

        Raises:
            RateLimited: the user has to wait.
        """
        self._begin(user, self._begun_in_a_minute(user))

    def _begin(self, user: str, begun: deque[float]) -> None:
        begun.append(self.clock())
        self._begun[user] = self._begun.pop(user, begun)

    def _begun_in_a_minute(self, user: str) -> deque[float]:
        now = self.clock()
        while self._begun and (first := next(iter(self._begun.items())))[1][-1] <= now - 60:
            del self._begun[first[0]]
        begun = self._begun.get(user, deque())
        while begun and begun[0] <= now - 60:
            begun.popleft()
        if len(begun) >= self.per_minute:
            raise RateLimited(f"more than {self.per_minute} {self.what} in a minute", int(begun[0] + 60 - now) + 1)
        return begun


class ChangeLimiter:
    """Counts the changes of conversations and files of each user on this replica.

    Args:
        turns: counts the turns.
    """

    def __init__(self, turns: RateLimiter) -> None:
        self._turns = turns
        per_minute = CHANGES_PER_TURN * turns.per_minute
        self._changes = RateLimiter(sys.maxsize, per_minute, "changes of conversations", turns.clock)

    def count(self, user: str, size: int) -> None:
        """Counts a change, whose body has `size` bytes.

        Raises:
            RateLimited: the user has to wait.
        """
        self._changes.count(user)
        if size > LARGE_CHANGE_BYTES:
            self._turns.count(user)
