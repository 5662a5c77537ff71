"""The chains of interactions that requests continue by `previous_interaction_id`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from interactions_emulator.brain.protocol import Step
from interactions_emulator.engine.interaction import Interaction
from interactions_emulator.engine.usage import count_tokens
from interactions_emulator.errors import Refused

MAX_TIMELINES = 1_000
"""Maximum number of chains whose timelines are cached."""


class _Timeline(NamedTuple):
    """All input and output steps of a chain of interactions."""

    until: float
    """When the first interaction of the chain expires, in virtual seconds since 1970."""
    steps: list[Step]


class Chains:
    """The timelines of chains, cached by the id of the last interaction: requests need not read whole chains.

    `find` returns a stored interaction or raises `Refused` (404). An interaction expires `retention` virtual seconds
    after its creation; `now` is the virtual time.
    """

    def __init__(self, find: Callable[[str], Interaction], retention: float, now: Callable[[], float]) -> None:
        self._find = find
        self._retention = retention
        self._now = now
        self._timelines: dict[str, _Timeline] = {}

    def clear(self) -> None:
        """Forget all timelines, because an interaction was deleted that may be part of any."""
        self._timelines.clear()

    def steps_until(self, last: str | None) -> Sequence[Step]:
        """Return the timeline of the chain that ends with `last`, valid until the next call.

        Raises `Refused` if an interaction of the chain no longer exists.
        """
        if last is None:
            return ()
        links: list[Interaction] = []
        previous: str | None = last
        cached = _Timeline(float("inf"), [])
        while previous:
            timeline = self._timelines.pop(previous, None)
            if timeline and timeline.until > self._now():
                cached = timeline
                break
            interaction = self._find(previous)
            if not interaction.finished:
                raise Refused(
                    400,
                    f"Interaction {previous} is still {interaction.status}: continue it when it has ended",
                )
            links.append(interaction)
            previous = interaction.previous
        until = min([cached.until, *(link.created + self._retention for link in links)])
        steps = cached.steps  # extended in place, as a copy of a long timeline is slow
        for link in reversed(links):
            steps += [*link.input, *link.steps]
        self._timelines[last] = _Timeline(until, steps)
        if len(self._timelines) > MAX_TIMELINES:
            del self._timelines[next(iter(self._timelines))]
        return steps


def tokens_before(last: Interaction | None, history: Sequence[Step]) -> dict[str, int]:
    """Return the tokens of `history`, which ends with `last`; counts only `last` if the tokens before it are known."""
    if last is None or last.tokens_before is None:
        return count_tokens(history)
    return count_tokens((*last.input, *last.steps), last.tokens_before)
