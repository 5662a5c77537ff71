"""The parts that the HTTP application is built from, and its limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from interactions_emulator.agents.registry import Agents
from interactions_emulator.engine.request_log import Log
from interactions_emulator.engine.runs import Runs
from interactions_emulator.faults.matching import Faults
from interactions_emulator.file_search.stores import Stores
from interactions_emulator.files.registry import Files
from interactions_emulator.files.uploads import Uploads
from interactions_emulator.limits import ServerLimits
from interactions_emulator.recording.replay import Replay
from interactions_emulator.scenarios import Script
from interactions_emulator.triggers.registry import Triggers
from interactions_emulator.triggers.scheduler import Scheduler
from interactions_emulator.webhooks.delivery import Deliveries
from interactions_emulator.webhooks.registry import Webhooks


class Documents(Protocol):
    """The part of a corpus that the server uses."""

    def page(self, document_id: str) -> str | None:
        """Return a document as an HTML page, None if there is no such document."""

    def __len__(self) -> int:
        """Return the number of documents."""


@dataclass
class AppContext:
    """The parts that the application is built from."""

    runs: Runs
    faults: Faults
    webhooks: Webhooks
    deliveries: Deliveries
    files: Files
    stores: Stores
    uploads: Uploads
    agents: Agents
    triggers: Triggers
    scheduler: Scheduler
    documents: Documents | None
    replay: Replay | None
    """Recorded answers, which are tried before all others."""
    script: Script
    """The scenarios."""
    crash: Callable[[], None]
    """Ends the server as if it were killed."""
    token: str = ""
    """The only API key that is accepted; if empty, any key is accepted."""
    limits: ServerLimits = field(default_factory=ServerLimits)
    log: Log = field(default_factory=Log)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Setting it cuts all open streams, so that the server can stop."""

    async def stop(self) -> None:
        """Stop all tasks."""
        await self.scheduler.stop()
        await self.runs.stop()
        await self.deliveries.stop()
