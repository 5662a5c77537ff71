"""Questions that wait for a person's yes, as the ledger stores them; see `tools/researcher/confirmation.py`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tools.errors import DeskError


class NotConfirmed(DeskError):
    """There is no valid yes. The message says why, and what to do."""


class Action(StrEnum):
    """The action that a yes allows."""

    START = "start"
    """Sends a job's next create request: for a plan, for a run, or for the run of an approved plan."""
    DELETE = "delete"
    """Deletes a job with its report."""
    SCHEDULE = "schedule"
    """Lets a schedule start runs, up to its ceiling."""
    FORGET = "forget"
    """Deletes the conversation."""
    FORGET_ANYWAY = "forget anyway"
    """Deletes the conversation although the server refused to delete a part of it."""


@dataclass(frozen=True)
class Question:
    """A question to one user in one conversation. A conversation has at most one question per subject."""

    user: str
    session: str
    subject: str
    """Id of a job, of a schedule, or of the conversation."""
    action: Action
    version: str
    """Version of the plan or brief, see `Job.version`: a yes is valid for this version only."""
    invocation: str
    """Id of the turn that last asked or repeated the question."""

    @property
    def mark(self) -> str:
        """Identifies the question in the metadata of the event that shows it."""
        return f"{self.action} {self.subject} {self.version}".strip()


class Yes(NamedTuple):
    """A person's yes to a question, not used yet."""

    question: Question
    answer: str
    """Id of the answer. The ledger accepts each id once."""
