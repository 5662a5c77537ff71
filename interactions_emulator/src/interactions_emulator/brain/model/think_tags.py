"""Separates the reasoning between <think> and </think> from the text around it, in a text that comes in pieces."""

from __future__ import annotations

OPEN, CLOSE = "<think>", "</think>"


class ThinkTags:
    """Divides pieces of text. Tags may be split between pieces; only a tag that begins the text opens reasoning."""

    def __init__(self) -> None:
        self._held = ""
        self._state = "start"
        """start: only white space so far; inside: between the tags; after: just after the closing tag; text."""

    def feed(self, piece: str) -> tuple[str, str]:
        """Return the (text, reasoning) that the piece completes."""
        self._held += piece
        text = reasoning = ""
        if self._state == "start":
            begun = self._held.lstrip()
            if begun.startswith(OPEN):
                self._state, self._held = "inside", begun.removeprefix(OPEN)
            elif not OPEN.startswith(begun):
                self._state = "text"
        if self._state == "inside":
            reasoning, tag, rest = self._held.partition(CLOSE)
            if tag:
                self._state, self._held = "after", rest
            else:
                kept = _begun_tag(self._held)
                reasoning, self._held = self._held[: len(self._held) - kept], self._held[len(self._held) - kept :]
        if self._state == "after":
            self._held = self._held.lstrip()
            self._state = "text" if self._held else "after"
        if self._state == "text":
            text, self._held = self._held, ""
        return text, reasoning

    def close(self) -> tuple[str, str]:
        """Return the (text, reasoning) that is left at the end."""
        held, self._held = self._held, ""
        return ("", held) if self._state == "inside" else ("", "") if self._state == "after" else (held.lstrip(), "")


def _begun_tag(text: str) -> int:
    """The length of the longest end of the text that may begin a closing tag."""
    return next((size for size in range(min(len(text), len(CLOSE) - 1), 0, -1) if CLOSE.startswith(text[-size:])), 0)
