"""One interaction: its resource, and the events of its streams."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from interactions_emulator.brain.protocol import Step, Turn
from interactions_emulator.engine import events

RUNNING = {"queued", "in_progress"}
"""Statuses of an interaction in progress; every other status is final."""


@dataclass
class OpenStep:
    """A step whose text is still being written."""

    kind: str
    pieces: list[str] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)

    def step(self) -> Step:
        """Return the step with the text so far."""
        content: dict[str, Any] = {"type": "text", "text": "".join(self.pieces)}
        if self.kind == "thought":
            return {"type": "thought", "summary": [content]}
        if self.annotations:
            content["annotations"] = self.annotations
        return {"type": self.kind, "content": [content]}


@dataclass
class Interaction:
    """The stored data of one interaction. `Cursor` makes events from this data on request; events are not stored."""

    id: str
    background: bool
    echoed: dict[str, Any]
    """Request fields that the resource repeats: model or agent, previous_interaction_id, tools, ..."""
    input: list[Step]
    turn: Turn | None
    """The brain's input; None once the interaction has ended."""
    created: float
    """Virtual seconds since 1970, like `updated`."""
    updated: float
    shown: tuple[float, float]
    """Times of creation and of the last update that answers show, in seconds since 1970; see `Clock.shown`."""
    previous: str | None = None
    tokens_before: dict[str, int] | None = None
    """Tokens of all steps of the chain before this interaction's input, by modality; None if not counted."""
    hop: int = 0
    """Number of earlier interactions that sent parts of the same answer."""
    zombie: bool = False
    """Whether a fault keeps this interaction from making progress."""
    status: str = "in_progress"
    steps: list[Step] = field(default_factory=list)
    """The complete output steps."""
    open: OpenStep | None = None
    """The output step that is being written, after those in `steps`; None if no step is."""
    pieces: dict[int, list[int]] = field(default_factory=dict)
    """Maps the index of a step that came in pieces to their lengths, so that each stream sends the same events."""
    usage: dict[str, Any] | None = None
    errors: list[dict[str, str]] = field(default_factory=list)
    continuation_token: str | None = None

    @property
    def finished(self) -> bool:
        return self.status not in RUNNING

    @property
    def output(self) -> list[Step]:
        """The output steps, including the one that is being written."""
        return [*self.steps, self.open.step()] if self.open else self.steps

    def close_step(self) -> None:
        """Complete the step that is being written."""
        if self.open:
            self.pieces[len(self.steps)] = [len(piece) for piece in self.open.pieces]
            self.steps.append(self.open.step())
            self.open = None

    def resource(self, include_input: bool = False) -> dict[str, Any]:
        """Return the resource as POST and GET send it.

        `steps` are the output steps; with `include_input`, the steps of this interaction's input come before them. The
        documentation does not say whether GET shows the input without that parameter; this server does not.
        """
        body = self.summary() | self.echoed
        body["steps"] = [*self.input, *self.output] if include_input else self.output
        if self.usage is not None:
            body["usage"] = self.usage
        if self.errors:
            body["errors"] = self.errors
        if self.continuation_token:
            body["continuation_token"] = self.continuation_token
        return body

    def summary(self, status: str | None = None) -> dict[str, Any]:
        """Return the fields that lifecycle events also have.

        If `status` is given, the fields are as they were at creation, but with this status.
        """
        body = {
            "id": self.id,
            "status": status or self.status,
            "object": "interaction",
            "created": events.timestamp(self.shown[0]),
            "updated": events.timestamp(self.shown[0 if status else 1]),
        }
        for key in ("model", "agent", "service_tier"):
            if key in self.echoed:
                body[key] = self.echoed[key]
        return body


class Cursor:
    """A position in the events of an interaction: after the first `position` events.

    `usage`: whether the last event includes the token usage.
    """

    def __init__(self, interaction: Interaction, position: int = 0, usage: bool = True) -> None:
        self.number = 0
        """Number of events passed."""
        self.done = False
        """Whether the end of the stream has been passed."""
        self._interaction = interaction
        self._id_prefix = events.event_id_prefix(interaction.id)
        self._position = position
        self._usage = usage
        self._stage = 0
        self._open_read = 0
        """Number of events read of the step that is being written."""

    def read(self) -> list[bytes]:
        """Return the events after this position that exist so far, as bytes of the stream, and move past them."""
        frames: list[bytes] = []
        while not self.done and (stage := self._events()) is not None:
            self._add(frames, stage[self._open_read :])
            self._stage, self._open_read = self._stage + 1, 0
        step = self._interaction.open
        if step:
            started = events.open_step_events(step.kind, step.pieces, self._stage - 1, self._open_read)
            self._open_read += len(started)
            self._add(frames, started)
        return frames

    def _add(self, frames: list[bytes], found: list[events.Event]) -> None:
        passed = max(0, self._position - self.number)
        frames += events.frames(found[passed:], self._id_prefix, self.number + passed + 1)
        self.number += len(found)

    def _events(self) -> list[events.Event] | None:
        """The events of the next stage (the opening, each step, the end); None if they are not complete yet."""
        interaction, stage = self._interaction, self._stage
        if stage == 0:
            return events.opening(interaction.summary("in_progress"))
        if stage <= len(interaction.steps):
            return events.step_events(interaction.steps[stage - 1], stage - 1, interaction.pieces.get(stage - 1))
        if not interaction.finished:
            return None
        self.done = True
        end = interaction.summary()
        if self._usage:
            end["usage"] = interaction.usage
        if interaction.continuation_token:
            end["continuation_token"] = interaction.continuation_token
        return events.closing(end, interaction.errors)
