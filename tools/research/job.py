"""The job: one research that somebody asked for, and the states it goes through."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a job stands."""

    INTENDED = "intended"
    """Written down; nothing was sent yet."""
    STARTING = "starting"
    """The create is on its way; its answer is not known."""
    START_UNKNOWN = "start_unknown"
    """We asked and never heard: a research may be running and may be billed."""
    RUNNING = "running"
    """The server named an interaction."""
    AWAITING_APPROVAL = "awaiting_approval"
    """The plan is there; the research is not started."""
    STALLED = "stalled"
    """Running by the server's word, but silent for longer than any research takes."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INCOMPLETE = "incomplete"
    EXPIRED = "expired"
    """The server no longer knows the interaction."""


TERMINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.INCOMPLETE, State.EXPIRED})
FOLLOWED = frozenset({State.RUNNING, State.STALLED})
"""States in which there is an interaction to follow."""

OUTCOMES: Mapping[str, State] = {
    "completed": State.COMPLETED,
    "failed": State.FAILED,
    "cancelled": State.CANCELLED,
    "incomplete": State.INCOMPLETE,
    "budget_exceeded": State.INCOMPLETE,
    "requires_action": State.INCOMPLETE,  # it waits for a client's function, and Deep Research has none
}
"""What a terminal status of the API means for the job. Any other status, also one not known here: it still runs."""


@dataclass(frozen=True)
class Order:
    """What was asked for, by whom. The same order twice is one job, unless `attempt` says that it is meant."""

    brief: str
    user: str
    session: str
    agent: str
    """Name of the Deep Research agent, e.g. "deep-research-preview-04-2026"."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The API's `agent_config` without its type, e.g. {"thinking_summaries": "auto"}."""
    attempt: int = 1

    @property
    def key(self) -> str:
        """The same for equal orders; white space and case of the brief do not count."""
        brief = " ".join(self.brief.split()).casefold()
        parts = [self.user, self.session, brief, self.agent, dict(self.options), self.attempt]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Job:
    """A row of the ledger. Times are seconds since the epoch."""

    id: str
    order: Order
    state: State
    created: float
    updated: float
    interaction_id: str | None = None
    cursor: str | None = None
    """Id of the last event seen."""
    events: int = 0
    """How many events were seen."""
    finished: float | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def seconds(self) -> float | None:
        """Measured duration: the resource's own `created` and `updated` are stamped alike (big-AGI's notes)."""
        return None if self.finished is None else self.finished - self.created


def new_job(order: Order, now: float) -> Job:
    """A job that nothing was sent for yet, with an id that can be typed: `job_` and 8 characters."""
    alphabet = "23456789abcdefghjkmnpqrstvwxyz"
    name = "".join(secrets.choice(alphabet) for _ in range(8))
    return Job(id=f"job_{name}", order=order, state=State.INTENDED, created=now, updated=now)
