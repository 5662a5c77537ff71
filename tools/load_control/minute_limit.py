"""Counts what happens in a minute, for each user or for anything else with a name."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field


@dataclass
class MinuteLimit:
    """Counts the actions of the last minute in this process, for each key.

    Args:
        per_minute: maximum number of actions of a key in a minute.
        clock: returns seconds.
    """

    per_minute: int
    clock: Callable[[], float]
    _times: dict[Hashable, deque[float]] = field(default_factory=dict)
    """Maps each key to the times of the last minute. The key with the oldest last time comes first."""

    def wait_s(self, key: Hashable) -> int:
        """Returns the whole seconds until the key may act again; 0 if it may act now."""
        now = self.clock()
        while self._times and (first := next(iter(self._times.items())))[1][-1] <= now - 60:
            del self._times[first[0]]
        times = self._times.get(key, deque())
        while times and times[0] <= now - 60:
            times.popleft()
        return int(times[0] + 60 - now) + 1 if len(times) >= self.per_minute else 0

    def add(self, key: Hashable) -> None:
        """Counts an action. The caller has checked `wait_s`."""
        times = self._times.pop(key, deque())
        times.append(self.clock())
        self._times[key] = times
