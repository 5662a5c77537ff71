"""Computes the wait before a retry. Pure: callers pass the random number, and sleep themselves."""

from __future__ import annotations

import math


def backoff_s(retries: int, first_s: float, max_s: float = math.inf) -> float:
    """Returns the average wait before a retry, in seconds: each is twice as long as the one before.

    Args:
        retries: number of retries so far.
        first_s: the wait before the first retry.
        max_s: the longest wait.
    """
    return min(first_s * 2.0 ** min(retries, 64), max_s)


def spread_wait(seconds: float, at_least: float, draw: float) -> float:
    """Returns a random wait, so that clients that fail at the same time do not retry at the same time.

    Args:
        seconds: the average wait; the result is between half of it and one and a half.
        at_least: the wait that the server asked for, in seconds; the result is at most a quarter longer, if `seconds`
            is not.
        draw: a random number from 0 to 1.
    """
    return max(at_least * (1 + draw / 4), seconds * (0.5 + draw))
