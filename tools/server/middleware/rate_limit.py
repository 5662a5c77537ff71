"""Limits the turns that a user runs at a time and starts in a minute, and the user's other reads and changes.

Each replica counts by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tools.errors import DeskError
from tools.load_control.minute_limit import MinuteLimit
from tools.server.limits import CHANGES_PER_TURN, LARGE_CHANGE_BYTES


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

    def __post_init__(self) -> None:
        self._minute = MinuteLimit(self.per_minute, self.clock)

    def check(self, user: str) -> None:
        """Raises RateLimited if the user has started too many turns in the last minute."""
        _check(self._minute, user, "turns")

    def count(self, user: str) -> None:
        """Counts a turn in its minute, and not in those at a time.

        Raises:
            RateLimited: the user has to wait.
        """
        self.check(user)
        self._minute.add(user)

    @contextmanager
    def limit(self, user: str) -> Iterator[None]:
        """Counts a turn while the block runs.

        Raises:
            RateLimited: the user has to wait.
        """
        self.check(user)
        if self._running.get(user, 0) >= self.at_once:
            raise RateLimited(f"more than {self.at_once} turns at a time", 1)
        self._minute.add(user)
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
        self._turns = turns
        self._minute = MinuteLimit(CHANGES_PER_TURN * turns.per_minute, turns.clock)

    def check(self, user: str) -> None:
        """Raises RateLimited if the user has to wait with any change. Call it before the body is read."""
        _check(self._minute, user, "changes of conversations")

    def count(self, user: str, size: int) -> None:
        """Counts a change, whose body has `size` bytes.

        A large change also counts as a change if it is refused as a turn: its body was read and parsed.

        Raises:
            RateLimited: the user has to wait.
        """
        self.check(user)
        self._minute.add(user)
        if size > LARGE_CHANGE_BYTES:
            self._turns.count(user)


def _check(limit: MinuteLimit, user: str, what: str) -> None:
    if wait_s := limit.wait_s(user):
        raise RateLimited(f"more than {limit.per_minute} {what} in a minute", wait_s)
