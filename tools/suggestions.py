"""Suggests the name that a person may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def did_you_mean(name: str, known: Sequence[str], *, fold: bool = False, cutoff: float = 0.5) -> str:
    """Suggests the nearest other known name; empty if none is near. `fold`: ignores upper and lower case."""
    words = {(each.casefold() if fold else each): each for each in known if each != name}
    near = difflib.get_close_matches(name.casefold() if fold else name, words, n=1, cutoff=cutoff)
    return f", did you mean `{words[near[0]]}`?" if near else ""
