"""Checks of single texts, such as the moderation gate, for front ends without a conversation."""

from __future__ import annotations

from typing import Literal, Protocol

from tools.errors import DeskError

Screened = Literal["user_messages", "reports"]


class TextScreener(Protocol):
    """A check of texts."""

    async def __call__(self, what: Screened, text: str) -> str:
        """Returns what is shown instead of a text; empty if the text may be used."""


class Withheld(DeskError):
    """A text must not be used or shown. The message is the policy's."""


async def screen_text(screen: TextScreener | None, what: Screened, text: str) -> None:
    """Checks a text; does nothing if `screen` is None.

    Raises:
        Withheld: it must not be used or shown.
    """
    if screen and (refusal := await screen(what, text)):
        raise Withheld(refusal)
