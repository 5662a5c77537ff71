"""The stored interactions: how many are kept, when they expire, and how they are read from the state file."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from interactions_emulator.brain.protocol import Turn
from interactions_emulator.engine.chains import Chains
from interactions_emulator.engine.clock import Clock
from interactions_emulator.engine.continuations import Continuations
from interactions_emulator.engine.interaction import Interaction
from interactions_emulator.engine.state_store import Journal
from interactions_emulator.errors import Refused, not_found

DAY_S = 86_400.0


class StoredInteractions:
    """The stored interactions, in progress and ended.

    At most `max_stored` are stored; a further one replaces the oldest that has ended. Each expires `retention_days`
    virtual days after its creation.
    """

    def __init__(
        self, journal: Journal, clock: Clock, continuations: Continuations, retention_days: float, max_stored: int
    ) -> None:
        self.all = OrderedDict((key, _restored(value)) for key, value in journal.read("interaction"))
        """Maps ids to interactions, oldest first. A dict would take long to find its first item after deletions."""
        self._journal = journal
        self._clock = clock
        self._continuations = continuations
        self._retention = retention_days * DAY_S
        self._max_stored = max_stored
        self.chains = Chains(self.find, self._retention, clock.now)

    def find(self, interaction_id: str) -> Interaction:
        """Return an interaction. Raises `Refused` (404) if it is unknown, deleted or expired."""
        interaction = self.all.get(interaction_id)
        if interaction is None:
            raise not_found(interaction_id)
        if interaction.created + self._retention <= self._clock.now():
            if interaction.finished:
                self.remove(interaction_id)
            raise not_found(interaction_id)
        return interaction

    def enforce_limit(self) -> None:
        """Delete the oldest ended interaction if the limit is reached. Raises `Refused` (429) if none has ended."""
        if len(self.all) < self._max_stored:
            return None
        for key, interaction in self.all.items():
            if interaction.finished:
                return self.remove(key)
        raise Refused(429, f"{self._max_stored} interactions are in progress already: cancel or delete some")

    def save(self, interaction: Interaction) -> None:
        """Write an interaction that is new or has changed."""
        self._journal.write(("interaction", interaction.id, interaction))

    def remove(self, interaction_id: str) -> None:
        """Delete an interaction, and what continues its answer."""
        self.chains.clear()
        del self.all[interaction_id]
        with self._journal:
            self._journal.write(("interaction", interaction_id, None))
            self._continuations.remove(interaction_id)


_FORMER_FIELDS = {"head": "echoed", "read": "tokens_before"}
"""Maps names of fields in older state files to their present names in `Interaction`."""


def _restored(record: dict[str, Any]) -> Interaction:
    shown = tuple(record.get("shown") or (record["created"], record["updated"]))  # older state files have no "shown"
    fields = {_FORMER_FIELDS.get(name, name): value for name, value in record.items()}
    # A step that was being written is lost: the brain writes it again.
    fields |= {"open": None, "pieces": {int(key): value for key, value in record.get("pieces", {}).items()}}
    turn = Turn.from_record(record["turn"]) if record["turn"] else None
    return Interaction(**{**fields, "turn": turn, "shown": shown})
