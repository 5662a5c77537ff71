"""The interface between the server and a brain. A brain is the function that writes the answers.

    def brain(turn: Turn) -> Iterator[TimedStep | TextDelta | Ending]:
        yield TextDelta("The sea rises ")
        yield TextDelta("twice a day.")

A brain yields complete steps, pieces of text as they come, and an ending if the interaction does not simply complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

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
    answered: tuple[Step, ...] = ()
    """Steps of the answer that were sent before the server stopped in the middle of it; see `Brain`."""

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Turn:
        """Return the turn that was stored as JSON."""
        return cls(**record | {key: tuple(record.get(key, ())) for key in ("steps", "tools", "modalities", "answered")})


EndStatus = Literal[
    "completed",
    "requires_action",
    "failed",
    "incomplete",
    "budget_exceeded",
    "cancelled",
    "idle",
    "requires_continuation",
]
"""The statuses with which an interaction ends. A brain may send others, to try how a client bears them."""


class TimedStep(NamedTuple):
    """One step of an answer and the virtual seconds that pass before it begins."""

    wait: float
    step: Step


class TextDelta(NamedTuple):
    """The next piece of a text that the brain is writing, which streams send at once.

    The first piece opens a step of its `kind`. Pieces of the same kind continue the step; any other entry closes it.
    """

    text: str
    kind: Literal["model_output", "thought"] = "model_output"
    """The step that the text belongs to: the answer, or the summary of a thought."""
    annotations: tuple[dict[str, Any], ...] = ()
    """Citations with positions in the whole text of the step, in bytes of UTF-8. They are sent when the step closes."""


class Ending(NamedTuple):
    """How an interaction ends after its last step. The default is completed or requires_action.

    The status "requires_continuation" ends the response with a token. The client sends the token back in a second
    request, and the steps after the `Ending` answer that request.
    """

    status: EndStatus
    errors: tuple[dict[str, str], ...] = ()
    """The resource's `errors` and the stream's `error` events, each {"code": ..., "message": ...}."""


Entry = TimedStep | TextDelta | Ending
Brain = Callable[[Turn], Iterable[Entry]]
"""A function from a turn to the entries of its answer.

A list or tuple is used directly and must not change later. Any other iterable is read in a thread, because it may be
slow; if the interaction is cancelled, the thread stops at the next entry and closes a generator. An exception, or an
entry with a part of another type, ends the interaction as failed with a message that says so.

After a restart of the server the brain is asked again, with `Turn.answered`: its answer must begin with these steps.
A deterministic brain can ignore them; any other brain yields them first and continues after them.
"""
