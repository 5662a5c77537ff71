"""The sections of a report: finds them, and lists them as an outline. All functions are pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tools.mcp_server.limits import MAX_SHOWN_TITLE_CHARS
from tools.mcp_server.markdown_blocks import CITATION, HEADING, blocks

_CLOSING = re.compile(r"(?<![ \t])[ \t]+(?:#+[ \t]*)?$")
"""Matches the closing sequence of a heading."""


@dataclass(frozen=True)
class Section:
    """A section of a report: its heading, and the text up to the next heading of its level or above."""

    number: int
    """Counted from 1, in the order of the text."""
    level: int
    title: str
    start: int
    end: int
    """Its place in the text: `text[start:end]`."""


def sections(text: str) -> tuple[Section, ...]:
    """Returns the sections of a Markdown text. A line in a code block is never a heading."""
    found, open_ = list[Section](), list[int]()
    for start, block in blocks(text):
        if heading := HEADING.match(block.partition("\n")[0]):
            level = len(heading[1])
            while open_ and found[open_[-1]].level >= level:
                index = open_.pop()
                found[index] = replace(found[index], end=start)
            open_.append(len(found))
            title = _CLOSING.sub("", CITATION.sub("", heading[2])).strip(" \t*_")
            found.append(Section(len(found) + 1, level, title or "(no title)", start, len(text)))
    return tuple(found)


def find_section(found: Sequence[Section], wanted: str) -> Section | None:
    """Returns the section with a number or a name; a part of the name is enough if only one section has it."""
    name = wanted.strip().casefold()
    for each in found:
        if name in (str(each.number), each.title.casefold()):
            return each
    similar = [each for each in found if name and name in each.title.casefold()]
    return similar[0] if len(similar) == 1 else None


def outline(found: Sequence[Section]) -> str:
    """Formats sections as a numbered list, indented by level, with their lengths."""
    highest = min((each.level for each in found), default=1)
    lines = []
    for each in found:
        indent, length = "  " * (each.level - highest), each.end - each.start
        lines.append(f"{indent}{each.number}. {each.title[:MAX_SHOWN_TITLE_CHARS]} ({length:,} characters)")
    return "\n".join(lines)
