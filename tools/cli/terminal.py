"""The consoles that commands write to, what they print of answers, and whether a person can answer."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.segment import Segment

from tools.interactions.citation_marks import short_marks
from tools.text.unsafe_characters import sanitize, without_direction_marks

NARROW_WIDTH = 64
"""Width of a terminal, in characters, below which lists show short ages and fewer columns."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Terminal(Console):
    """A console that removes control characters and direction marks from texts of users, models and web pages."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else without_direction_marks(_CONTROLS.sub("", text)), style, control)


out = Terminal(highlight=False)
err = Terminal(stderr=True, highlight=False)


def print_fields(*fields: str) -> None:
    """Prints a line for other programs: fields that are separated by tabs, without control characters in them."""
    print(without_direction_marks(sanitize("\t".join(" ".join(field.split()) for field in fields))))


def print_json(data: Mapping[str, Any]) -> None:
    """Prints an object as one line of JSON, in ASCII if stdout cannot encode one of its characters.

    Raises:
        OSError: it could not be written; without the flush, only the end of the program would notice it.
    """
    text = json.dumps(data, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeError:
        text = json.dumps(data)
    print(text, flush=True)


def can_ask() -> bool:
    """Whether a person can answer a question."""
    return sys.stdin.isatty()


def print_indented(console: Console, line: str) -> None:
    """Prints a line of progress, dim and indented. On a terminal, what does not fit goes on below it, indented too."""
    text = f"[dim]{escape(line)}[/]"
    if console.is_terminal:
        console.print(Padding(text, (0, 0, 0, 2), expand=False))
    else:
        console.print(f"  {text}", soft_wrap=True)


def show(author: str, said: str, partial: bool) -> None:
    """Prints an answer as rendered Markdown on a terminal and as plain text elsewhere, or progress as one dim line."""
    if partial:
        print_indented(out, said.strip())
    elif out.is_terminal:
        out.print(f"[bold]{author}[/]")
        show_markdown(said)
    else:
        out.print(f"[{author}]: {short_marks(said)}", markup=False, soft_wrap=True)


def show_markdown(text: str) -> None:
    """Renders Markdown on a terminal. Elsewhere, prints its source with short citation marks."""
    if out.is_terminal:
        from rich.markdown import Markdown

        out.print(Markdown(text))
    else:
        out.print(short_marks(text), markup=False, soft_wrap=True)
