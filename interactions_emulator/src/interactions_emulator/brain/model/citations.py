"""Reads the marks [n] that a model writes: drops unknown numbers, and makes byte-exact citations of the others."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from typing import Any

from interactions_emulator.brain.model.sources import Sources

MARK = re.compile(r"[ \t]{0,3}[\[【](\d{1,3}(?:[ ,]{1,3}\d{1,3}){0,20})[\]】]")
"""Matches a mark such as [1] or [1, 2], with the spaces before it."""
_OPEN = re.compile(r"[ \t]{0,3}(?:[\[【][\d, ]{0,80})?$")
"""Matches the end of a text that may begin a mark."""
_SENTENCE_END = re.compile(r"[.!?…:]\s+(?=\S)|[。！？]|\n\s*(?:[-*+•] |\d+\. )?")


class MarkFilter:
    """Passes a text on in pieces, without the numbers of marks that are not in `known`."""

    def __init__(self, known: Container[int]) -> None:
        self._known = known
        self._held = ""

    def feed(self, piece: str) -> str:
        """Take a piece of text; return what can be shown. An unfinished mark is held back until it is complete."""
        self._held += piece
        begun = _OPEN.search(self._held)
        cut = begun.start() if begun else len(self._held)
        ready, self._held = self._held[:cut], self._held[cut:]
        return self._cleaned(ready)

    def close(self) -> str:
        """Return the text that is left at the end."""
        held, self._held = self._held, ""
        return self._cleaned(held)

    def _cleaned(self, text: str) -> str:
        return MARK.sub(self._known_only, text)

    def _known_only(self, mark: re.Match[str]) -> str:
        numbers = numbers_of(mark)
        known = [number for number in numbers if number in self._known]
        space = mark[0][: len(mark[0]) - len(mark[0].lstrip())]
        return f"{space}[{', '.join(map(str, known))}]" if known else ""


def numbers_of(mark: re.Match[str]) -> list[int]:
    """The numbers in a match of `MARK`."""
    return [int(number) for number in re.findall(r"\d+", mark[1])]


def cited_numbers(text: str) -> list[int]:
    """The numbers in the marks of a text, in the order of their first mark."""
    return list(dict.fromkeys(number for mark in MARK.finditer(text) for number in numbers_of(mark)))


def citations(text: str, sources: Sources) -> tuple[dict[str, Any], ...]:
    """Citations for the marks of a text: each covers the sentence before the mark and the mark itself.

    Positions are bytes of UTF-8, end exclusive. Marks in a row cover the same sentence. The numbers must be known.
    """
    found: list[dict[str, Any]] = []
    end = start = 0
    for mark in MARK.finditer(text):
        between = text[end : mark.start()]
        if between.strip(" \t,;.") or not end:
            start = end + max((match.end() for match in _SENTENCE_END.finditer(between)), default=0)
            start += len(text[start : mark.end()]) - len(text[start : mark.end()].lstrip(" \t,;."))
        end = mark.end()
        place = {"start_index": len(text[:start].encode()), "end_index": len(text[:end].encode())}
        found += [_citation(*sources[number]) | place for number in numbers_of(mark)]
    return tuple(found)


def source_list(heading: str, numbers: Iterable[int], sources: Sources) -> tuple[str, list[dict[str, Any]]]:
    """A list of sources in Markdown below a heading, and a citation for each of its lines."""
    text, notes = heading, []
    for number in numbers:
        title, url = sources[number]
        name = re.sub(r"([\[\]\\])", r"\\\1", title)
        line = f"[{name}]({url}) [{number}]" if url.startswith(("http://", "https://")) else f"{name} [{number}]"
        start = len(f"{text}- ".encode())
        text += f"- {line}\n"
        notes.append(_citation(title, url) | {"start_index": start, "end_index": start + len(line.encode())})
    return text, notes


def _citation(title: str, url: str) -> dict[str, Any]:
    if not url:
        return {"type": "file_citation", "file_name": title}
    return {"type": "url_citation", "url": url, "title": title}
