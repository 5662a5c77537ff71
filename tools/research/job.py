"""The job: one research that somebody asked for, and the states it goes through."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tools.interactions.client import CreateRequest


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
    """A person has to say yes first: to the plan, or to the price when there is none."""
    STALLED = "stalled"
    """Running by the server's word, but silent for longer than any research takes."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INCOMPLETE = "incomplete"
    EXPIRED = "expired"
    """The server no longer knows the interaction."""


DAY = 86_400.0
"""Seconds."""
TERMINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.INCOMPLETE, State.EXPIRED})
HAS_INTERACTION = frozenset({State.RUNNING, State.STALLED})
"""States in which there is an interaction to follow."""
ACTIVE = HAS_INTERACTION | {State.INTENDED, State.STARTING}
"""States in which there is something to do without a person."""

OUTCOMES: Mapping[str, State] = {
    "completed": State.COMPLETED,
    "failed": State.FAILED,
    "cancelled": State.CANCELLED,
    "incomplete": State.INCOMPLETE,
    "budget_exceeded": State.INCOMPLETE,
    "requires_action": State.INCOMPLETE,  # it waits for a client's function, and Deep Research has none
    "requires_continuation": State.INCOMPLETE,  # to go on would be another create, which nobody has agreed to
}
"""What a terminal status of the API means for the job. Any other status, also one not known here: it still runs."""


COSTS: Mapping[str, tuple[float, float]] = {"deep-research-max": (3.0, 7.0), "deep-research": (1.0, 3.0)}
"""USD that a run costs, from and to, by the beginning of the agent's name (Google's published estimates, 2026)."""
QUESTION_COST = 0.1
"""USD that a question about a report counts for: an assumption, as no price is published for a chain."""
MINUTES = (5, 20)
"""How long most runs take, from and to; 60 is the most (Google's documentation of Deep Research, 2026)."""


_ID_CHARACTERS = "23456789abcdefghjkmnpqrstvwxyz"
JOB_ID = re.compile(rf"(?<!\w)job_[{_ID_CHARACTERS}]{{8}}(?!\w)", re.IGNORECASE)
"""The id of a job in a message."""


def cost_of(agent: str) -> tuple[float, float]:
    """What a run of this agent costs, in USD, from and to; the dearest known for an unknown agent."""
    return next((cost for name, cost in COSTS.items() if agent.startswith(name)), max(COSTS.values()))


class Kind(StrEnum):
    """What a create is for."""

    RUN = "run"
    PLAN = "plan"
    REVISION = "revision"
    QUESTION = "question"


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
    inputs: Sequence[Mapping[str, Any]] = ()
    """Documents and pictures beside the brief, as content of the wire: {"type", "mime_type", "data" or "uri"}."""
    attempt: int = 1
    server: str = ""
    """Where it runs, see `tools.interactions.backend.server`: another server knows nothing of it."""
    base: str = ""
    """Id of the job that it builds on, if any."""
    previous: str = ""
    """Id of the interaction that it goes on from: the newest of its base when it was ordered."""
    title: str = ""
    """A few words by which a person knows it again; empty: the beginning of the brief."""

    @property
    def key(self) -> str:
        """The same for equal orders: user, conversation, brief, agent, files, base, server and attempt.

        Neither the white space and case of the brief count, nor the title, nor how the report is presented (`options`),
        nor what was asked about the base meanwhile.
        """
        brief = " ".join(self.brief.split()).casefold()
        files = [dict(content) for content in self.inputs]
        parts = [self.user, self.session, brief, self.agent, files, self.base, self.server, self.attempt]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Plan:
    """The plan of a research, and what the person said to it."""

    text: str
    interaction_id: str
    reply: str = ""
    approved: bool = False
    earlier: Sequence[str] = ()
    """Ids of the plans before it."""


@dataclass(frozen=True)
class FollowUpAnswer:
    """What a model said to a question about a finished research. It stays at the server, for the next one."""

    question: str
    text: str
    interaction_id: str
    earlier: Sequence[str] = ()
    """Ids of the interactions that gave the first parts of it, if it came in parts."""
    session: str = ""
    """The conversation in which it was asked."""


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
    line: str = ""
    """The last line of progress."""
    finished: float | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    plan: Plan | None = None
    cost: float = 0.0
    """USD at most, as estimated when it was ordered."""
    started: float | None = None
    """When the server named the present interaction."""
    follow_ups: Sequence[FollowUpAnswer] = ()
    """Oldest first."""
    trace: str = ""
    """The `traceparent` (W3C) of its order: whoever works on the job goes on with that trace. Empty: none."""
    may_run: bool = False
    """Whether it may run on at the server although it was cancelled."""

    @property
    def request(self) -> CreateRequest:
        """What to send next."""
        order, plan = self.order, self.plan
        if plan is None:
            text = {"type": "text", "text": order.brief}
            sent = [text, *order.inputs] if order.inputs else order.brief
            return CreateRequest(order.agent, sent, order.options, order.previous or None)
        options = {**order.options, "collaborative_planning": not plan.approved}
        return CreateRequest(order.agent, plan.reply, options, plan.interaction_id)

    @property
    def active(self) -> bool:
        """Whether it is neither over nor in doubt: it runs, is about to, or waits for a person."""
        return self.state not in TERMINAL and self.state is not State.START_UNKNOWN

    @property
    def came_to_nothing(self) -> bool:
        """Whether it ended without that anything was started for it: to order the same again is a new order."""
        if self.state is State.CANCELLED:
            return not self.interactions and not self.may_run
        return self.state is State.FAILED and not self.interaction_id

    @property
    def is_repeated_by_joining(self) -> bool:
        """Whether to order it once more, on purpose, joins it: it is on its way, or waits for a yes."""
        return self.state in (ACTIVE - {State.STALLED}) | {State.AWAITING_APPROVAL}

    @property
    def kind(self) -> Kind:
        """What its next create is for."""
        if not self.request.plans:
            return Kind.RUN
        return Kind.REVISION if self.plan else Kind.PLAN

    @property
    def version(self) -> str:
        """What a yes would be to: the plan, or the brief as it stands. Another one needs another yes."""
        if self.plan:
            return self.plan.interaction_id
        what = json.dumps([self.order.brief, self.request.plans])
        return hashlib.sha256(what.encode()).hexdigest()[:16]

    @property
    def newest(self) -> str | None:
        """The interaction that a question about it, or a research that builds on it, goes on from."""
        answered = (
            answer.interaction_id for answer in reversed(self.follow_ups) if answer.text and answer.interaction_id
        )
        return next(answered, self.interaction_id)

    @property
    def interactions(self) -> tuple[str, ...]:
        """Ids of all that the server has of it."""
        plans = (self.plan.interaction_id, *self.plan.earlier) if self.plan else ()
        answers = (id_ for answer in self.follow_ups for id_ in (answer.interaction_id, *answer.earlier))
        return tuple(dict.fromkeys(id_ for id_ in (self.interaction_id, *plans, *answers) if id_))

    def kept_until(self, retention: float) -> float | None:
        """Until when a server that keeps interactions for `retention` seconds knows its research or plan."""
        if not self.interaction_id and not self.plan:
            return None
        return (self.started or self.created) + retention

    @property
    def seconds(self) -> float | None:
        """Measured duration: the resource's own `created` and `updated` are stamped alike (big-AGI's notes)."""
        return None if self.finished is None else self.finished - self.created


def new_job(order: Order, now: float, state: State = State.INTENDED) -> Job:
    """A job that nothing was sent for yet, with an id that can be typed, see `JOB_ID`."""
    name = "".join(secrets.choice(_ID_CHARACTERS) for _ in range(8))
    return Job(id=f"job_{name}", order=order, state=state, created=now, updated=now, cost=cost_of(order.agent)[1])
