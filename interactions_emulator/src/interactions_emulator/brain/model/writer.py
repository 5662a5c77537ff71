"""Writes a text piece by piece: as `TextDelta`s, with citations for the marks in it."""

from __future__ import annotations

from collections.abc import Container, Iterator

from interactions_emulator.brain.model.citations import MarkFilter, citations
from interactions_emulator.brain.model.sources import Sources
from interactions_emulator.brain.protocol import TextDelta


class Writer:
    """Turns pieces of text and of thoughts into entries. Without sources, marks such as [1] are left as they are."""

    def __init__(self, sources: Sources, known: Container[int] | None = None) -> None:
        """Begin. `known` has the numbers that the text may cite; the default is the numbers of all sources."""
        self._sources = sources
        self._marks = MarkFilter(sources if known is None else known)
        self.text = ""
        """The text so far, without what is held back."""
        self._thinking = False

    def say(self, piece: str) -> Iterator[TextDelta]:
        """Write a piece of the answer."""
        yield from self._write(self._marks.feed(piece) if self._sources else piece)

    def think(self, piece: str) -> Iterator[TextDelta]:
        """Write a piece of a thought, which ends the text before it."""
        yield from self.close()
        if piece := piece if self._thinking else piece.lstrip():
            self._thinking = True
            yield TextDelta(piece, "thought")

    def flush(self) -> Iterator[TextDelta]:
        """Write what is held back."""
        yield from self._write(self._marks.close().rstrip())

    def close(self) -> Iterator[TextDelta]:
        """End the text: write what is held back, and the citations."""
        yield from self.flush()
        if self._sources and (found := citations(self.text, self._sources)):
            yield TextDelta("", annotations=found)
        self.text = ""

    def _write(self, piece: str) -> Iterator[TextDelta]:
        if not self.text:
            piece = piece.lstrip()
        if piece:
            self.text += piece
            self._thinking = False
            yield TextDelta(piece)
