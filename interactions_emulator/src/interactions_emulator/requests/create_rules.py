"""The rules for create requests beyond the types of fields, each with its source.

A rule refuses a request, or only warns: in the server's log, and in the request's entry of the request log. A report of
the real service is a reason to refuse if it is recent and somebody ran it; an old or doubtful one is a reason to warn.
`refusal_rules.py` and `warning_rules.py` have the rules, and `docs/strictness.md` lists them.
"""

from __future__ import annotations

import logging
from functools import lru_cache

from interactions_emulator.brain.protocol import Step
from interactions_emulator.errors import Refused
from interactions_emulator.requests import refusal_rules, warning_rules
from interactions_emulator.requests.create_body import Body
from interactions_emulator.requests.rule import Rule

logger = logging.getLogger(__name__)


RULES: tuple[Rule, ...] = (*refusal_rules.RULES, *warning_rules.RULES)
"""In the order in which they are checked: the first that refuses a request decides."""


def check_rules(body: Body, steps: tuple[Step, ...]) -> tuple[str, ...]:
    """Check a request with the steps of its input. Return its warnings. Raises `Refused` (400) with the reason."""
    warnings: tuple[str, ...] = ()
    for rule in _rules_about(frozenset(body.model_fields_set), isinstance(body.input, str)):
        wrong = rule.check(body, steps)
        if wrong is None:
            continue
        if rule.verdict == "refuse":
            raise Refused(400, wrong, rule.code)
        warnings += (wrong,)
        _warn(f"{wrong} (source: {rule.source})")
    return warnings


@lru_cache(1_000)
def _rules_about(given: frozenset[str], input_is_text: bool) -> list[Rule]:
    """Return the rules for a request that has these fields."""
    described = given - {"input"} if input_is_text else given
    return [rule for rule in RULES if not rule.fields or rule.fields & described]


@lru_cache(1_000)
def _warn(message: str) -> None:
    """Log a warning, once per process."""
    logger.warning(message)
