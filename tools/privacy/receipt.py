"""The receipt of a deletion: what was deleted, and what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Receipt:
    """The result of a deletion. It has ids and counts, and no text of the conversation."""

    server: str
    interactions: dict[str, str] = field(default_factory=dict)
    """Maps the id of an interaction to a text about its deletion, e.g. "deleted at the server"."""
    lines: list[str] = field(default_factory=list)
    """One line for each thing, other than interactions, that was deleted or is left alone."""
    refused: dict[str, str] = field(default_factory=dict)
    """Maps the id of an interaction that the server did not delete to the reason."""
    still_running: dict[str, str] = field(default_factory=dict)
    """Maps the job id of a research run that could not be ended, and stays in the ledger, to the reason."""
    done: bool = False
    """Whether the local data was deleted."""

    @property
    def complete(self) -> bool:
        """Whether everything was deleted, here and at the server."""
        return not self.refused and not self.still_running

    def to_markdown(self) -> str:
        """Returns the receipt as Markdown text. It counts the deleted interactions and names those that are left."""
        counted = Counter(self.interactions.values())
        deleted = [f"{count(number, 'interaction')}: {done}" for done, number in counted.items()]
        refusals = [f"interaction {id_}: **not deleted at the server** ({why})" for id_, why in self.refused.items()]
        running = [
            f"research {id_}: **not ended, stays in the ledger** ({why})" for id_, why in self.still_running.items()
        ]
        listed = "\n".join(f"- {line}" for line in [*deleted, *self.lines, *refusals, *running])
        if not self.done:
            head = (
                f"**Not forgotten yet.** The server ({self.server}) did not delete everything, so nothing was deleted"
                " here: this conversation is the only record of what is left there."
            )
        elif not self.complete:
            head = f"**Forgotten here**, but not at the server ({self.server}): the ids of what is left there are kept."
        else:
            head = f"**This conversation is forgotten**, here and at the server ({self.server})."
        return f"{head}\n\n{listed}"


def count(things: Sequence[object] | int, noun: str) -> str:
    """Counts things in words: "2 files"."""
    number = things if isinstance(things, int) else len(things)
    return f"{number} {noun}{'' if number == 1 else 's'}"
