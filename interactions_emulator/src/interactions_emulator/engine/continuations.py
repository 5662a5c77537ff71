"""Answers that continue in a further request: the tokens that such a request sends back."""

from __future__ import annotations

from typing import Any

from interactions_emulator.brain.protocol import Turn
from interactions_emulator.engine.interaction import Interaction
from interactions_emulator.engine.state_store import Journal
from interactions_emulator.errors import Refused


class Continuations:
    """The answers to be continued, by token: at most `max_kept`; a further one replaces the oldest."""

    def __init__(self, journal: Journal, max_kept: int) -> None:
        self._journal = journal
        self._max_kept = max_kept
        self._hops: dict[str, dict[str, Any]] = dict(journal.read("hop"))

    def find(self, token: str, previous: str | None) -> tuple[Turn, int]:
        """Return the turn to answer, and the number of interactions that have sent parts of its answer.

        Raises `Refused` (400) if the token is unknown, or is not for the interaction `previous`.
        """
        hop = self._hops.get(token)
        if hop is None or previous not in (None, hop["id"]):
            raise Refused(
                400,
                f"continuation_token {token!r} is not one that this server gave"
                f" for {previous or 'this request'}: send the request without it, from the start",
            )
        return Turn.from_record(hop["turn"]), hop["hop"]

    def add(self, interaction: Interaction, stored: bool) -> str:
        """Keep the turn of an interaction whose answer continues, and return the token."""
        assert interaction.turn is not None
        token = f"hop_{interaction.id}"
        hop = {"id": interaction.id if stored else None, "turn": interaction.turn, "hop": interaction.hop + 1}
        self._hops[token] = {**hop, "turn": vars(interaction.turn)}
        self._journal.write(("hop", token, hop))
        if len(self._hops) > self._max_kept:
            oldest = next(iter(self._hops))
            del self._hops[oldest]
            self._journal.write(("hop", oldest, None))
        return token

    def remove(self, interaction_id: str) -> None:
        """Forget what continues the answer of an interaction."""
        self._hops.pop(f"hop_{interaction_id}", None)
        self._journal.write(("hop", f"hop_{interaction_id}", None))
