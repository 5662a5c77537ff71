"""One run: an interaction with the task that answers it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from interactions_emulator.brain.protocol import Entry
from interactions_emulator.engine.interaction import Cursor, Interaction
from interactions_emulator.engine.notifier import Notifier


class Run:
    """An interaction with the task that answers it, and a notifier for the streams that follow it."""

    def __init__(self, interaction: Interaction, stored: bool = True) -> None:
        self.interaction = interaction
        self.stored = stored
        self.due: float | None = None
        """Virtual time of the next step; None while the brain works."""
        self.task: asyncio.Task[None] | None = None
        self.changed = Notifier()
        self.pending: deque[Entry] = deque()
        """The part of the brain's answer that has come and is not yet in the interaction."""
        self.read = False
        """Whether the whole answer of the brain has come."""
        self.arrived = Notifier()
        """Notifies when a part of the brain's answer has come."""

    async def follow(self, cursor: Cursor) -> AsyncIterator[list[bytes]]:
        """Yield the events after the cursor: first the present ones, then each new one."""
        while not cursor.done:
            frames = cursor.read()
            if frames:
                yield frames
            else:  # wait only after an empty read: new events may have come during the yield
                await self.changed.wait()

    async def wait_until_finished(self) -> None:
        """Return when the interaction has ended."""
        while not self.interaction.finished:
            await self.changed.wait()
