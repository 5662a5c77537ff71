"""What a brain is asked and what it answers: the seam between the server and whatever writes the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Step = dict[str, Any]
"""A complete step as it stands on the wire, e.g. {"type": "model_output", "content": [...]}."""


@dataclass(frozen=True)
class Turn:
    """One create request together with the chain before it.

    `steps` is the whole timeline, oldest first: inputs and outputs of the earlier interactions, then this request's
    input. The last `fresh` of them are this request's input.
    """

    target: str
    """Name of the model or agent."""
    is_agent: bool
    steps: tuple[Step, ...]
    fresh: int
    tools: tuple[dict[str, Any], ...] = ()
    system_instruction: str = ""
    response_schema: dict[str, Any] | None = None
    """JSON schema that the answer's text has to satisfy."""
    modalities: tuple[str, ...] = ()
    """What the answer may consist of: text, image, audio, video; empty means text."""
    generation_config: dict[str, Any] = field(default_factory=dict)
    agent_config: dict[str, Any] = field(default_factory=dict)
    documents_url: str = ""
    """Address below which the server shows the documents of the corpus."""


class TimedStep(NamedTuple):
    """One step of an answer and the virtual seconds that pass before it begins."""

    wait: float
    step: Step


class Ending(NamedTuple):
    """How an interaction ends, said after its last beat; without one it ends as completed or requires_action.

    `status` "requires_continuation" is a hop: what comes after it is given to the client that sends the token back.
    """

    status: str
    """failed, incomplete, budget_exceeded, cancelled or requires_continuation."""
    errors: tuple[dict[str, str], ...] = ()
    """What the resource's `errors` and the stream's `error` events say, each {"code": ..., "message": ...}."""


Brain = Callable[[Turn], Iterable[TimedStep | Ending]]
"""Deterministic: the same turn over the same corpus yields the same beats, so that a run can go on after a restart.

A list or tuple is taken as it is and must not change; anything else is drawn in a thread, for it may take its time.
An exception ends the interaction as failed.
"""
