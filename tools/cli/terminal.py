"""The consoles that commands write to, and whether a person can answer."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Terminal(Console):
    """A console that removes control characters from texts of users, models and web pages."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else _CONTROLS.sub("", text), style, control)


out = Terminal(highlight=False)
err = Terminal(stderr=True, highlight=False)


def can_ask() -> bool:
    """Whether a person can answer a question."""
    return sys.stdin.isatty()
