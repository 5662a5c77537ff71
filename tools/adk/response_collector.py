"""Collects what ADK loses of an answer: the text of each step, its citations, and how the answer ended.

ADK 2.13 joins the texts of all steps, but leaves each citation's offset relative to its own step
(`models/interactions_utils.py:1139`). It treats an answer that ended badly as good if a part of it was streamed
(`:1318`). Without streaming, it shows a search result's markup as text and drops all citations (`:782`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tools.interactions.citations import Citation, read_citations
from tools.text.markdown import code_block


@dataclass
class Block:
    """The visible text of one step, and its annotations."""

    text: str = ""
    annotations: list[dict[str, Any]] = field(default_factory=list)


class ResponseCollector:
    """Collects an answer from the SDK's events or from a whole interaction, in parallel to ADK's converters."""

    def __init__(self) -> None:
        self.blocks: dict[tuple[int, int], Block] = {}
        """Maps (number of interaction, index of step) to a block. A continued answer has several interactions."""
        self.status = ""
        """Final status of the last interaction; empty until it ends."""
        self.errors: list[str] = []
        self._interaction = 0

    def add_interaction(self, resource: Any) -> None:
        """Adds a whole answer, which was not streamed."""
        self.blocks.clear()
        for index, step in enumerate(resource.steps or ()):
            for content in (getattr(step, "content", None) if step.type == "model_output" else (step,)) or ():
                self._add((0, index), content)
        self._end(resource)

    def add_event(self, event: Any) -> None:
        """Adds the next event of a stream."""
        match getattr(event, "event_type", None):
            case "interaction.created":
                self._interaction += 1
            case "step.delta":
                self._add((self._interaction, event.index or 0), event.delta)
            case "error":
                self.errors.append(_error(event.error))
            case "interaction.completed":
                self._end(event.interaction)

    def cited(self) -> tuple[str, list[Citation]]:
        """Returns the whole text, one paragraph per step, and its citations."""
        text, citations = "", list[Citation]()
        for place in sorted(self.blocks):
            text += "\n\n" if text else ""
            citations += read_citations(self.blocks[place].annotations, len(text.encode()))
            text += self.blocks[place].text
        return text, citations

    def _add(self, place: tuple[int, int], said: Any) -> None:
        """Adds a delta, a content or a step, which all have the same fields."""
        text, annotations = "", getattr(said, "annotations", None) or ()
        match said.type:
            case "text":
                text = said.text or ""
            case "code_execution_call" if said.arguments and said.arguments.code:
                text = code_block(said.arguments.code, said.arguments.language or "")
            case "code_execution_result" if said.result:
                text = ("It failed:\n\n" if said.is_error else "") + code_block(str(said.result))
        if text or annotations:
            block = self.blocks.setdefault(place, Block())
            block.text += text
            block.annotations += [a.model_dump(mode="json", exclude_none=True) for a in annotations]

    def _end(self, interaction: Any) -> None:
        self.status = interaction.status or ""
        self.errors += [_error(error) for error in getattr(interaction, "errors", None) or ()]


def _error(error: Any) -> str:
    return str(getattr(error, "message", None) or getattr(error, "code", None) or "no reason given")
