"""Writes a text piece by piece: as `TextDelta`s, with citations for the marks in it."""

from __future__ import annotations

from collections.abc import Iterator

from interactions_emulator.brain.model.citations import MarkFilter, citations
from interactions_emulator.brain.model.sources import Sources
from interactions_emulator.brain.protocol import TextDelta


class Writer:
    """Turns pieces of text and of thoughts into entries. Without sources, marks such as [1] are left as they are."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._marks = MarkFilter(sources)
        self._text = ""
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

    def close(self) -> Iterator[TextDelta]:
        """End the text: write what is held back, and the citations."""
        yield from self._write(self._marks.close().rstrip())
        if self._sources and (found := citations(self._text, self._sources)):
            yield TextDelta("", annotations=found)
        self._text = ""

    def _write(self, piece: str) -> Iterator[TextDelta]:
        if not self._text:
            piece = piece.lstrip()
        if piece:
            self._text += piece
            self._thinking = False
            yield TextDelta(piece)
