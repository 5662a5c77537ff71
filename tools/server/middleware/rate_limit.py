"""Limits the turns that a user runs at a time and starts in a minute, and the user's other reads and changes.

Each replica counts by itself.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tools.errors import DeskError

MAX_READS = 4
"""Maximum number of a user's requests about conversations, not counting turns, that are served at a time; others wait.

A conversation may have megabytes.
"""
CHANGES_PER_TURN = 5
"""The limit of changes of conversations and files per minute is this many times the limit of turns."""
LARGE_CHANGE_BYTES = 10_000
"""A change with more bytes than this also counts as a turn, because it takes about as much CPU time."""


class RateLimited(DeskError):
    """A user is over a limit. The message names the limit.

    Args:
        retry_after_s: seconds to wait; 0 if waiting does not help.
    """

    def __init__(self, text: str, retry_after_s: int = 0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


@dataclass
class MinuteLimit:
    """Counts what each user does in a minute on this replica.

    Args:
        what: what it counts, in the plural.
    """

    per_minute: int
    what: str
    clock: Callable[[], float] = time.monotonic
    _begun: dict[str, deque[float]] = field(default_factory=dict)
    """Maps each user to the times of the last minute. The user with the oldest last time comes first."""

    def check(self, user: str) -> None:
        """Raises RateLimited if the user has to wait."""
        now = self.clock()
        while self._begun and (first := next(iter(self._begun.items())))[1][-1] <= now - 60:
            del self._begun[first[0]]
        begun = self._begun.get(user, deque())
        while begun and begun[0] <= now - 60:
            begun.popleft()
        if len(begun) >= self.per_minute:
            raise RateLimited(f"more than {self.per_minute} {self.what} in a minute", int(begun[0] + 60 - now) + 1)

    def count(self, user: str) -> None:
        """Counts one action of a user.

        Raises:
            RateLimited: the user has to wait.
        """
        self.check(user)
        self.add(user)

    def add(self, user: str) -> None:
        """Counts one action of a user, without a check."""
        begun = self._begun.pop(user, deque())
        begun.append(self.clock())
        self._begun[user] = begun


@dataclass
class RateLimiter:
    """Counts the turns of each user on this replica."""

    at_once: int
    per_minute: int
    clock: Callable[[], float] = time.monotonic
    _running: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.minute = MinuteLimit(self.per_minute, "turns", self.clock)

    @contextmanager
    def limit(self, user: str) -> Iterator[None]:
        """Counts a turn while the block runs.

        Raises:
            RateLimited: the user has to wait.
        """
        self.minute.check(user)
        if self._running.get(user, 0) >= self.at_once:
            raise RateLimited(f"more than {self.at_once} turns at a time", 1)
        self.minute.add(user)
        self._running[user] = self._running.get(user, 0) + 1
        try:
            yield
        finally:
            self._running[user] -= 1
            if not self._running[user]:
                del self._running[user]


class ChangeLimiter:
    """Counts the changes of conversations and files of each user on this replica.

    Args:
        turns: counts the turns.
    """

    def __init__(self, turns: RateLimiter) -> None:
        self._turns = turns.minute
        self._changes = MinuteLimit(CHANGES_PER_TURN * turns.per_minute, "changes of conversations", turns.clock)

    def check(self, user: str) -> None:
        """Raises RateLimited if the user has to wait with any change. Call it before the body is read."""
        self._changes.check(user)

    def count(self, user: str, size: int) -> None:
        """Counts a change, whose body has `size` bytes.

        A large change also counts as a change if it is refused as a turn: its body was read and parsed.

        Raises:
            RateLimited: the user has to wait.
        """
        self._changes.count(user)
        if size > LARGE_CHANGE_BYTES:
            self._turns.count(user)
