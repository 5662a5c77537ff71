"""Says what a user has spent on research, for the model's instruction."""

from __future__ import annotations

from collections.abc import Sequence

from tools.research.quotas import LIMIT_PERIOD_S
from tools.research.spending import EMULATOR, Spending

MONTH_S = 30 * 86_400.0
"""A month, in seconds."""


def spent_by(entries: Sequence[Spending], now: float) -> str:
    """Formats what a user has spent: one line, with the upper ends of the prices in USD.

    Args:
        entries: the spending entries of the user, those of the last `MONTH_S` at least.
        now: seconds since the epoch.
    """
    paid = [each for each in entries if each.server != EMULATOR]
    played = sum(each.estimate for each in entries if each.server == EMULATOR)
    unpaid = f" Nothing is paid on the emulator; its runs would have cost up to ${played:.2f}." if played else ""
    return f"Spent so far: {_sums(paid, now)}.{unpaid} The page of research and `desk spending` show each day."


def _sums(entries: Sequence[Spending], now: float) -> str:
    day, month = (sum(each.estimate for each in entries if each.time > now - age) for age in (LIMIT_PERIOD_S, MONTH_S))
    return f"at most ${day:.2f} in 24 hours and ${month:.2f} in 30 days" if month else "nothing in 30 days"
