"""Suggests the name that a person may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], *, fold: bool = False, cutoff: float = 0.5) -> str:
    """Returns a question that ends a message, such as ", did you mean `text`?"; empty if no known name is near."""
    near = nearest(name, known, fold=fold, cutoff=cutoff)
    return f", did you mean `{near}`?" if near else ""


def nearest(name: str, known: Iterable[str], *, fold: bool = False, cutoff: float = 0.5) -> str:
    """Returns the nearest other known name; empty if none is near.

    Args:
        fold: whether upper and lower case count as the same.
        cutoff: from 0 to 1, how similar it has to be; see `difflib.get_close_matches`.
    """
    words = {(each.casefold() if fold else each): each for each in known if each != name}
    near = difflib.get_close_matches(name.casefold() if fold else name, words, n=1, cutoff=cutoff)
    return words[near[0]] if near else ""
