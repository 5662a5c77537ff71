"""The settings of a server."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from interactions_emulator.brain.protocol import Brain
from interactions_emulator.faults.fault import Fault
from interactions_emulator.limits import RETENTION_DAYS, ServerLimits
from interactions_emulator.scenarios import Source

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Settings:
    """Settings of a server."""

    brain: Brain | None = None
    """The function that answers; None: the built-in brain, which quotes `corpus`."""
    corpus: Path | None = None
    """A folder of documents; None means the documents that come with the emulator."""
    index: Path | None = None
    """File that keeps the search index of the corpus between starts."""
    state: Path | None = None
    """SQLite file that keeps the state across restarts; None: the state is lost at the end."""
    speed: float = math.inf
    """Virtual seconds per real second. 0: only requests to `/_emulator/clock` move time; `math.inf`: nothing waits."""
    faults: list[Fault] = field(default_factory=list)
    scenarios: Source | None = None
    """A YAML file, a YAML text or a list of scenarios and recorded answers; see `docs/scenarios.md`."""
    retention_days: float = RETENTION_DAYS
    """Virtual days that an interaction is kept: 55 on the paid tier, 1 on the free one."""
    webhook_hosts: frozenset[str] = frozenset()
    """Hosts that webhook messages may be sent to, besides this machine."""
    token: str = ""
    """The only API key that is accepted; if empty, any key is accepted."""
    limits: ServerLimits = field(default_factory=ServerLimits)
    idle_exit: float | None = None
    """Real seconds without requests and runs after which the server ends; None: the server never ends by itself."""
