"""The states of a job, and what each status of the API means for it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """State of a job."""

    INTENDED = "intended"
    """Saved in the ledger; nothing was sent yet."""
    STARTING = "starting"
    """The create request is being sent; its answer is not known yet."""
    START_UNKNOWN = "start_unknown"
    """The create request was sent, but not answered: a run may be active and billed."""
    RUNNING = "running"
    """The server named an interaction."""
    AWAITING_APPROVAL = "awaiting_approval"
    """A person has to approve the plan, or the price if there is no plan."""
    STALLED = "stalled"
    """The server says that the run is active, but there was no news for longer than any run takes."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INCOMPLETE = "incomplete"
    EXPIRED = "expired"
    """The server does not have the interaction: it no longer has it, or it never showed it."""

    @property
    def words(self) -> str:
        """The state in words for a person, the same everywhere."""
        return "starting" if self is State.INTENDED else self.value.replace("_", " ")


TERMINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.INCOMPLETE, State.EXPIRED})
HAS_INTERACTION = frozenset({State.RUNNING, State.STALLED})
"""States in which there is an interaction to follow."""
ACTIVE = HAS_INTERACTION | {State.INTENDED, State.STARTING}
"""States in which a job has work for a worker."""
STATE_OF_STATUS: Mapping[str, State] = {
    "completed": State.COMPLETED,
    "failed": State.FAILED,
    "cancelled": State.CANCELLED,
    "incomplete": State.INCOMPLETE,
    "budget_exceeded": State.INCOMPLETE,
    "requires_action": State.INCOMPLETE,  # waits for a client function; Deep Research has none
    "requires_continuation": State.INCOMPLETE,  # needs another create request, which nobody approved
}
"""The job's state for each terminal status of the API. With any other status, even an unknown one, the job runs."""
