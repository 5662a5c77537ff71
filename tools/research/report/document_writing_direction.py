"""Sets the language and the direction of each part of a document. Works on Pandoc's tree. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from tools.research.report.languages import UNKNOWN, language_of, same_letters
from tools.research.report.pandoc_nodes import Node, spaced_nodes, span_node, with_typst_settings, word_nodes
from tools.research.report.writing_direction import LEFT_TO_RIGHT, Direction, direction_of_most

MAX_BOX_CHARS = 30
"""Longer texts are not put into boxes in a PDF, since a box cannot break across lines."""
WEB_ADDRESS = re.compile(r"https?://\S+")
_MARKS: dict[Direction, str] = {"ltr": "\u200e", "rtl": "\u200f"}
"""Invisible letters of each direction."""


@dataclass(frozen=True)
class Writing:
    """The language and the direction of a text."""

    language: str
    """For hyphenation and fonts, and for the words that the document adds."""
    direction: Direction

    def of(self, *texts: str) -> Writing:
        """Returns how texts within this text are written, such as the items of a list.

        The direction is that of most texts. The language is that of this text if they have the same letters, or none.
        """
        direction = direction_of_most(texts, self.direction)
        language = language_of(WEB_ADDRESS.sub("", " ".join(texts)))
        if language in ("", UNKNOWN):
            return self if direction == self.direction else Writing(UNKNOWN, direction)
        return Writing(self.language if same_letters(language, self.language) else language, direction)


def marked_blocks(
    blocks: list[Node], writing: Writing, around: Writing, format: str, *, inside: bool = False
) -> list[Node]:
    """Marks how blocks are written, unless the text around them is written in the same way.

    Args:
        format: "pdf", "docx" or "epub", as in all functions here.
        inside: whether the blocks are in a list or a table.
    """
    if writing == around or not blocks:
        return blocks
    if format == "pdf":
        language = writing.language.partition("-")[0] or UNKNOWN
        return with_typst_settings(blocks, f'text(dir: {writing.direction}, lang: "{language}")')
    return [_marked(block, writing, inside, format) for block in blocks]


def _marked(block: Node, writing: Writing, inside: bool, format: str) -> Node:
    language = writing.language or UNKNOWN
    attributes = [["lang", language], ["dir", writing.direction]]
    match block:
        case {"t": "Para" | "Plain" as kind, "c": inlines} if inside:
            return {"t": kind, "c": [isolate(inlines, writing.direction, language, format=format)]}
        case {"t": "Header", "c": [level, [identifier, *_], inlines]} if format == "epub":
            # Pandoc divides an EPUB at headings only if they are not in a part of their own.
            return {"t": "Header", "c": [level, [identifier, [], attributes], inlines]}
    return {"t": "Div", "c": [["", [], attributes], [block]]}


def with_isolates(inlines: Sequence[Node], format: str) -> list[Node]:
    """Isolates left-to-right text that is next to letters of the other direction."""
    found = list[Node]()
    for is_text, group in groupby(inlines, lambda node: node["t"] in ("Str", "Space")):
        if not is_text:
            found += group
            continue
        pieces = LEFT_TO_RIGHT.split("".join(node.get("c", " ") for node in group))
        for position, piece in enumerate(pieces):
            found += [isolated(piece, "ltr", format)] if position % 2 else spaced_nodes(piece)
    return found


def isolated(text: str, direction: Direction, format: str) -> Node:
    """Builds a text whose direction does not depend on the text around it."""
    if format == "pdf":
        escaped = re.sub(r'["\\]', r"\\\g<0>", text)
        code = f'text(dir: {direction}, "{escaped}")'
        if len(text) <= MAX_BOX_CHARS:  # else Typst orders its numbers like those of the text around it
            code = f"box({code})"
        return {"t": "RawInline", "c": ["typst", f"#{code};"]}
    return isolate(word_nodes(text), direction, format=format)


def isolate(inlines: list[Node], direction: Direction, language: str = "", *, format: str) -> Node:
    """The same as `isolated`, for Word documents and EPUBs."""
    attributes = [["lang", language], ["dir", direction]] if language else [["dir", direction]]
    if format == "docx":  # LibreOffice needs the marks, since it does not read the direction of a part
        mark = {"t": "Str", "c": _MARKS[direction]}
        inlines = [mark, *inlines, mark]
    return span_node(inlines, attributes=attributes)
