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
        entries: all spending entries of the user.
        now: seconds since the epoch.
    """
    paid = [each for each in entries if each.server != EMULATOR]
    played = sum(each.estimate for each in entries if each.server == EMULATOR)
    unpaid = f" Nothing is paid on the emulator; its runs would have cost up to ${played:.2f}." if played else ""
    return f"Spent so far: {_sums(paid, now)}.{unpaid} `desk spending` and the board show each day."


def _sums(entries: Sequence[Spending], now: float) -> str:
    if not entries:
        return "nothing"
    day, month, whole = (
        sum(each.estimate for each in entries if each.time > now - seconds)
        for seconds in (LIMIT_PERIOD_S, MONTH_S, now)
    )
    return f"at most ${day:.2f} in 24 hours, ${month:.2f} in 30 days and ${whole:.2f} in all"
