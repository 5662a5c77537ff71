"""The clock of virtual time, which all runs and timestamps use."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress

from interactions_emulator.engine.notifier import Notifier

END = 221_845_392_000.0
"""The last virtual time, in seconds since 1970: the year 9000. Python knows no date after the year 9999."""


class Clock:
    """A clock of virtual seconds since 1970, which pass `speed` times as fast as real seconds.

    The clock begins at `start` (default: now). With `speed=math.inf` a wait returns at once, and virtual time jumps to
    the end of the wait. With `speed=0` virtual time changes only by `advance`. Waits and retention periods are
    virtual; for the times in answers, see `shown`.
    """

    def __init__(
        self, speed: float = 1.0, start: float | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._base = time.time() if start is None else start
        self._mark = monotonic()
        self._changed = Notifier()
        self.speed = speed
        self.set_speed(speed)

    def now(self) -> float:
        """Return the virtual time in seconds since 1970."""
        if self.speed == math.inf:
            return self._base
        return self._base + (self._monotonic() - self._mark) * self.speed

    def shown(self, moment: float) -> float:
        """Return the time that an answer shows for something that happens now, at the virtual time `moment`.

        This is the real time, because people compare it with their clocks. With speed 0 it is the virtual time.
        """
        return moment if self.speed == 0 else time.time()

    def advance(self, seconds: float) -> None:
        """Move virtual time on by `seconds` (not negative) and wake the tasks whose waits have ended."""
        self.check_step(seconds)
        self._rebase(self.now() + seconds)

    def check_step(self, seconds: float) -> None:
        """Raise ValueError unless virtual time can be advanced by `seconds`."""
        if not 0 <= seconds <= END - self.now():
            raise ValueError(
                f"virtual time can be advanced by 0 seconds or more, up to the year 9000, not by {seconds}"
            )

    def set_speed(self, speed: float) -> None:
        """From now on, run virtual time `speed` times as fast as real time."""
        if not speed >= 0:
            raise ValueError(f"speed is 0 (manual), a positive number, or inf, not {speed}")
        now = self.now()
        self.speed = speed
        self._rebase(now)

    def reaches(self, moment: float) -> bool:
        """Whether virtual time has reached `moment`; speed `inf` jumps there. An infinite `moment` is never reached."""
        if self.speed == math.inf and self._base < moment < math.inf:
            self._rebase(moment)
        return self.now() >= moment

    async def until(self, moment: float) -> None:
        """Return when virtual time has reached `moment`."""
        while not self.reaches(moment):
            await self._wait(moment)

    async def passes(self, moment: float) -> None:
        """Return when virtual time has passed `moment` without being moved for this; never with infinite speed."""
        while self.speed == math.inf or self.now() < moment:
            await self._wait(moment)

    async def _wait(self, moment: float) -> None:
        """Return when the clock was changed, or when running time may have reached `moment`."""
        running = 0 < self.speed < math.inf and moment < math.inf
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), (moment - self.now()) / self.speed if running else None)

    def _rebase(self, now: float) -> None:
        self._base, self._mark = now, self._monotonic()
        self._changed.notify_all()
