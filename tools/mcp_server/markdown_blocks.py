"""Divides a Markdown text into blocks: paragraphs, headings, lists and code blocks. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})")
CITATION = re.compile(r"\[(\d{1,4})\](?!\()")
"""Matches a citation's number, as `plain_marks` writes it."""
HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+([^\n]*)")


def blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yields the start and the text of each paragraph, heading, list or code block, with the blank lines after it."""
    start = position = 0
    fence, blank = "", False
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if not fence and position > start and (blank or HEADING.match(line)):
            yield start, text[start:position]
            start = position
        if fence and mark and mark[1].startswith(fence):
            fence = ""
        elif not fence and mark:
            fence = mark[1]
        blank = not line.strip()
        position += len(line)
    if position > start:
        yield start, text[start:position]
