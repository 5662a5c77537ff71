"""A rule for create requests, with its source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Literal, NamedTuple

from interactions_emulator.brain.protocol import Step
from interactions_emulator.requests.create_body import Body

Check = Callable[["Body", tuple[Step, ...]], str | None]
"""Returns what is wrong with a request and what to do instead; None if the request is right."""
Verdict = Literal["refuse", "warn"]


class Rule(NamedTuple):
    """A rule for requests."""

    name: str
    verdict: Verdict
    source: str
    fields: frozenset[str]
    """The request fields that the rule is about; a request without them is not checked. Empty: every request is.

    An `input` that is a string does not count: the rules about `input` are about its steps.
    """
    check: Check
    code: str = ""
    """The code of the error, if it is not `invalid_request`."""

    @property
    def summary(self) -> str:
        """The condition on a request that is accepted."""
        return self.check.__doc__ or ""


def add_rule(
    rules: list[Rule], verdict: Verdict, source: str, *fields: str, code: str = ""
) -> Callable[[Check], Check]:
    """Add a function to `rules`. Its docstring says what a request must do to be accepted."""

    def add(check: Check) -> Check:
        rules.append(Rule(check.__name__.lstrip("_"), verdict, source, frozenset(fields), check, code))
        return check

    return add


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names the known name that is most similar, "" if none is."""
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    close = get_close_matches(snake, known, 1, 0.8)
    return f"; did you mean {close[0]!r}?" if close else ""
