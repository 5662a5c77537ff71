"""What the application is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from interactions_emulator.engine.request_log import Log
from interactions_emulator.engine.runs import Runs
from interactions_emulator.faults import Faults
from interactions_emulator.recording.replay import Replay
from interactions_emulator.webhooks.delivery import Deliveries
from interactions_emulator.webhooks.registry import Webhooks


class Documents(Protocol):
    """What the server needs of a corpus."""

    def page(self, document_id: str) -> str | None:
        """Return a document as an HTML page, or None if there is none of this id."""

    def __len__(self) -> int:
        """Return the number of documents."""


@dataclass(frozen=True)
class ServerLimits:
    """What a client may ask for."""

    body: int = 64 * 2**20
    """Bytes of a request's body."""
    streams: int = 2_000
    """Requests being answered at once, most of them streams."""
    stored: int = 10_000
    """Interactions that are kept; beyond it the oldest that has ended is forgotten."""


@dataclass
class AppContext:
    """What the application is made of."""

    runs: Runs
    faults: Faults
    webhooks: Webhooks
    deliveries: Deliveries
    documents: Documents | None
    replay: Replay | None
    """Recorded answers, which come before all others."""
    crash: Callable[[], None]
    """Ends the server as if it were killed."""
    token: str = ""
    """The only API key that is let in; empty: any."""
    limits: ServerLimits = field(default_factory=ServerLimits)
    log: Log = field(default_factory=Log)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, it cuts all open streams, so that the server can stop."""
