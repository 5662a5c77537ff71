"""The job: a research run that a user ordered, as the ledger stores it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from tools.research.api_client import CreateRequest
from tools.research.ids import new_id
from tools.research.job_states import ACTIVE, TERMINAL, State
from tools.research.order import Order
from tools.research.pricing import cost_of


class Kind(StrEnum):
    """The purpose of a create request."""

    RUN = "run"
    PLAN = "plan"
    REVISION = "revision"
    QUESTION = "question"


@dataclass(frozen=True)
class Plan:
    """The plan of a run, and the person's reply to it."""

    text: str
    interaction_id: str
    """Empty if the server no longer has it, so that no run can continue from it."""
    reply: str = ""
    approved: bool = False
    earlier: Sequence[str] = ()
    """Interaction ids of the earlier plans."""


@dataclass(frozen=True)
class FollowUpAnswer:
    """A model's answer to a question about a finished run. The server keeps it for the next question."""

    question: str
    text: str
    interaction_id: str
    earlier: Sequence[str] = ()
    """Ids of the interactions with the answer's earlier parts, if it came in parts."""
    session: str = ""
    """Id of the conversation in which the question was asked."""


@dataclass(frozen=True)
class ReportChanges:
    """The differences between the reports of a scheduled run and of the schedule's previous run."""

    earlier: str
    """Id of the job that it is compared with."""
    changed: int
    """Number of statements, as `new` and `gone`; see `tools.research.comparison`."""
    new: int
    gone: int
    new_sources: int
    gone_sources: int
    text: str = ""
    """The list of the changes, as Markdown, cut to `report_changes.MAX_TEXT_CHARS`."""
    words: str = ""
    """A model's description of the changes; empty if no model was asked."""
    interactions: Sequence[str] = ()
    """Ids of the interactions that wrote this description."""


@dataclass(frozen=True)
class Job:
    """A research run that a user ordered, as stored in the ledger. Times are seconds since the epoch."""

    id: str
    order: Order
    state: State
    created: float
    updated: float
    interaction_id: str | None = None
    cursor: str | None = None
    """Id of the last event seen."""
    events: int = 0
    """Number of events seen."""
    line: str = ""
    """The last line of progress."""
    finished: float | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    plan: Plan | None = None
    cost: float = 0.0
    """Highest estimated price in USD at the time of the order."""
    started: float | None = None
    """When the server named the current interaction."""
    follow_ups: Sequence[FollowUpAnswer] = ()
    """Answers to questions about the run, oldest first."""
    trace: str = ""
    """The `traceparent` (W3C) of the order: all work on the job continues that trace. Empty if tracing is off."""
    may_run: bool = False
    """Whether the run may continue at the server although the job was cancelled, or the server does not show it."""
    changes: ReportChanges | None = None
    """The changes since the previous run, for a finished run of a schedule."""

    @property
    def request(self) -> CreateRequest:
        """The next create request to send."""
        order, plan = self.order, self.plan
        if plan is None:
            text = {"type": "text", "text": order.brief}
            sent = [text, *order.inputs] if order.inputs else order.brief
            return CreateRequest(order.agent, sent, order.options, order.previous or None, {"job": self.id})
        options = {**order.options, "collaborative_planning": not plan.approved}
        return CreateRequest(order.agent, plan.reply, options, plan.interaction_id, {"job": self.id})

    @property
    def active(self) -> bool:
        """Whether the job runs, is about to run, or waits for a person; false if its start is in doubt."""
        return self.state not in TERMINAL and self.state is not State.START_UNKNOWN

    @property
    def ended_before_start(self) -> bool:
        """Whether the job ended and nothing was started for it, so that the same order makes a new job."""
        if self.state is State.CANCELLED:
            return not self.interactions and not self.may_run
        return self.state is State.FAILED and not self.interaction_id

    @property
    def reused_on_repeat(self) -> bool:
        """Whether an order to repeat the run returns this job. True if it awaits approval, runs or is about to run."""
        return self.state in (ACTIVE - {State.STALLED}) | {State.AWAITING_APPROVAL}

    @property
    def kept_plan(self) -> Plan | None:
        """The plan that a new attempt of the order shows again, since it is paid for; None if it needs a new plan."""
        if self.plan is None or not self.plan.interaction_id or self.state in (State.COMPLETED, State.INCOMPLETE):
            return None
        return replace(self.plan, reply="", approved=False)

    @property
    def kind(self) -> Kind:
        """The purpose of the job's next create request."""
        if not self.request.plans:
            return Kind.RUN
        return Kind.REVISION if self.plan else Kind.PLAN

    @property
    def version(self) -> str:
        """Identifies what a yes approves: the plan, or the current brief. A new version needs a new yes."""
        if self.plan:
            return self.plan.interaction_id
        what = json.dumps([self.order.brief, self.request.plans])
        return hashlib.sha256(what.encode()).hexdigest()[:16]

    @property
    def stamp(self) -> str:
        """Identifies what a yes to its deletion deletes. It changes with the job's state, plan and brief."""
        return f"{self.state}:{self.version}"

    @property
    def latest_interaction_id(self) -> str | None:
        """Questions about this run, and runs that build on it, continue from the interaction with this id."""
        answered = (
            answer.interaction_id for answer in reversed(self.follow_ups) if answer.text and answer.interaction_id
        )
        return next(answered, self.interaction_id)

    @property
    def interactions(self) -> tuple[str, ...]:
        """Ids of all interactions that the job has at the server."""
        plans = (self.plan.interaction_id, *self.plan.earlier) if self.plan else ()
        answers = (id_ for answer in self.follow_ups for id_ in (answer.interaction_id, *answer.earlier))
        words = self.changes.interactions if self.changes else ()
        return tuple(dict.fromkeys(id_ for id_ in (self.interaction_id, *plans, *answers, *words) if id_))

    def kept_until(self, retention_s: float) -> float | None:
        """Returns when the server deletes the report or plan, in epoch seconds; None if the job has neither.

        Args:
            retention_s: seconds for which the server keeps interactions.
        """
        if not self.interaction_id and not self.plan:
            return None
        return (self.started or self.created) + retention_s

    @property
    def seconds(self) -> float | None:
        """Seconds from order to end, by our clock: the API's times are equal (big-AGI's notes). None until the end."""
        return None if self.finished is None else self.finished - self.created


@dataclass(frozen=True)
class JobVersion:
    """Two versions of a job are equal if the job is unchanged, whoever has its lease."""

    state: str
    updated: float
    events: int
    lease_until: float = field(default=0.0, compare=False)
    """When the lease expires, in epoch seconds; 0 if there is none."""

    @classmethod
    def of(cls, job: Job) -> JobVersion:
        """Returns the version of a job that was read."""
        return cls(job.state, job.updated, job.events)


def new_job(order: Order, now: float, state: State = State.INTENDED) -> Job:
    """Builds a job that was not sent yet."""
    return Job(id=new_id("job"), order=order, state=state, created=now, updated=now, cost=cost_of(order.agent)[1])
