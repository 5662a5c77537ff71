"""The consoles that commands write to, and whether a person can answer."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from tools.sanitize import sanitize, without_direction_marks

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


def can_ask() -> bool:
    """Whether a person can answer a question."""
    return sys.stdin.isatty()
