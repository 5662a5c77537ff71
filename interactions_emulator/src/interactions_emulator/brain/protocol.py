"""The interface between the server and a brain. A brain is the function that writes the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Step = dict[str, Any]
"""A complete step as the API sends it, e.g. {"type": "model_output", "content": [...]}."""


@dataclass(frozen=True)
class Turn:
    """One create request with the earlier interactions of its chain.

    `steps` is the whole timeline, oldest first: inputs and outputs of the earlier interactions, then the input of this
    request. The last `fresh` steps are the input of this request.
    """

    target: str
    """Name of the model or agent."""
    is_agent: bool
    steps: tuple[Step, ...]
    fresh: int
    tools: tuple[dict[str, Any], ...] = ()
    system_instruction: str = ""
    response_schema: dict[str, Any] | None = None
    """JSON schema for the answer's text."""
    modalities: tuple[str, ...] = ()
    """Types of content that the answer may have: text, image, audio, video; empty means text."""
    generation_config: dict[str, Any] = field(default_factory=dict)
    agent_config: dict[str, Any] = field(default_factory=dict)
    documents_url: str = ""
    """Base URL of the corpus documents on the server."""


class TimedStep(NamedTuple):
    """One step of an answer and the virtual seconds that pass before it begins."""

    wait: float
    step: Step


class Ending(NamedTuple):
    """How an interaction ends after its last step. The default is completed or requires_action.

    The status "requires_continuation" ends the response with a token. The client sends the token back in a second
    request, and the steps after the `Ending` answer that request.
    """

    status: str
    """failed, incomplete, budget_exceeded, cancelled or requires_continuation."""
    errors: tuple[dict[str, str], ...] = ()
    """The resource's `errors` and the stream's `error` events, each {"code": ..., "message": ...}."""


Brain = Callable[[Turn], Iterable[TimedStep | Ending]]
"""A function from a turn to the steps of the answer.

It must be deterministic (the same turn and corpus give the same steps), so that a run can continue after a restart.
A list or tuple is used directly and must not change later. Any other iterable is read in a thread, because it may be
slow. An exception ends the interaction as failed.
"""
