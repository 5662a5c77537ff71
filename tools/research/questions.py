"""A question that waits for a person's yes, as the ledger keeps it; see `tools/researcher/confirmation.py`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tools.errors import DeskError


class NotConfirmed(DeskError):
    """Nobody has said yes. The text says why, and what to do."""


class Action(StrEnum):
    """What a yes does."""

    START = "start"
    """Sends a job's next create: a run, a plan, or the run that a plan is for."""
    DELETE = "delete"
    """Deletes a job with its report."""
    FORGET = "forget"
    """Deletes the conversation."""
    FORGET_ANYWAY = "forget anyway"
    """The same, although the server refused a part of it."""


@dataclass(frozen=True)
class Question:
    """A question to one user in one conversation. There is one at a time about each subject."""

    user: str
    session: str
    subject: str
    """Id of a job, or of the conversation."""
    action: Action
    version: str
    """What exactly was asked about, see `Job.version`: a yes to another plan is none to this one."""
    invocation: str
    """Id of the turn that asked, or repeated, the question last."""

    @property
    def mark(self) -> str:
        """What the event that shows the question carries."""
        return f"{self.action} {self.subject} {self.version}".strip()


class Yes(NamedTuple):
    """A person's answer that agrees to a question, and was not used yet."""

    question: Question
    answer: str
    """The answer's own name: one of the same name answers no second question."""
