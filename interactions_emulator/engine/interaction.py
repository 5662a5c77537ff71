"""One interaction: the resource, and the events that its streams consist of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from interactions_emulator.brain.protocol import Step, Turn
from interactions_emulator.engine import events

RUNNING = {"queued", "in_progress"}
"""Statuses of what goes on; every other one is an end."""


@dataclass
class Interaction:
    """What is known of one interaction. Its events are made from it whenever they are asked for."""

    id: str
    background: bool
    head: dict[str, Any]
    """The request's fields that the resource repeats: model or agent, previous_interaction_id, tools, ..."""
    input: list[Step]
    turn: Turn | None
    """What the brain was asked; only while it is in progress."""
    created: float
    """Virtual seconds since 1970, as `updated`."""
    updated: float
    previous: str | None = None
    read: dict[str, int] | None = None
    """Tokens of the timeline before its input, by modality; None where they were not counted."""
    hop: int = 0
    """How many interactions before this one gave a part of the same answer."""
    zombie: bool = False
    """It never moves on."""
    status: str = "in_progress"
    steps: list[Step] = field(default_factory=list)
    usage: dict[str, Any] | None = None
    errors: list[dict[str, str]] = field(default_factory=list)
    continuation_token: str | None = None

    @property
    def finished(self) -> bool:
        return self.status not in RUNNING

    def resource(self, include_input: bool = False) -> dict[str, Any]:
        """Return the resource as POST and GET answer it.

        `steps` is what the interaction put out. With `include_input` the steps of its own input stand before
        them. The documentation is not clear about whether GET shows them without being asked; here it does not.
        """
        body = self.summary() | self.head
        body["steps"] = [*self.input, *self.steps] if include_input else self.steps
        if self.usage is not None:
            body["usage"] = self.usage
        if self.errors:
            body["errors"] = self.errors
        if self.continuation_token:
            body["continuation_token"] = self.continuation_token
        return body

    def summary(self, status: str | None = None) -> dict[str, Any]:
        """Return the fields that the lifecycle events carry too; with `status` as they were in that one."""
        body = {
            "id": self.id,
            "status": status or self.status,
            "object": "interaction",
            "created": events.timestamp(self.created),
            "updated": events.timestamp(self.created if status else self.updated),
        }
        for key in ("model", "agent", "service_tier"):
            if key in self.head:
                body[key] = self.head[key]
        return body


class Cursor:
    """A place in the events of an interaction: after the first `position` of them."""

    def __init__(self, interaction: Interaction, position: int = 0, usage: bool = True) -> None:
        self.number = 0
        """How many events have been passed."""
        self.done = False
        """Whether the end of the stream has been passed."""
        self._interaction = interaction
        self._tag = events.tag(interaction.id)
        self._position = position
        self._usage = usage
        self._stage = 0

    def read(self) -> list[bytes]:
        """Return what is there beyond this place, as it goes over the socket, and move behind it."""
        frames: list[bytes] = []
        while not self.done and (stage := self._events()) is not None:
            for event in stage:
                self.number += 1
                if self.number > self._position:
                    frames.append(events.frame(event, self._tag, self.number))
            self._stage += 1
        return frames

    def _events(self) -> list[events.Event] | None:
        """The events of a stage: first the opening, then each step, then the end."""
        interaction, stage = self._interaction, self._stage
        if stage == 0:
            return events.opening(interaction.summary("in_progress"))
        if stage <= len(interaction.steps):
            return events.step_events(interaction.steps[stage - 1], stage - 1)
        if not interaction.finished:
            return None
        self.done = True
        end = interaction.summary()
        if self._usage:
            end["usage"] = interaction.usage
        if interaction.continuation_token:
            end["continuation_token"] = interaction.continuation_token
        return events.closing(end, interaction.errors)
