"""Published prices and durations of research runs."""

from __future__ import annotations

from collections.abc import Mapping

COSTS_USD: Mapping[str, tuple[float, float]] = {"deep-research-max": (3.0, 7.0), "deep-research": (1.0, 3.0)}
"""Lowest and highest price of a run in USD, by prefix of the agent's name (Google's published estimates, 2026)."""
QUESTION_COST_USD = 0.1
"""Assumed price of a question about a report, in USD: no price is published for questions that continue a run."""
RUN_MINUTES = (5, 20)
"""Shortest and longest usual run, in minutes. No run takes over 60 (Google's documentation of Deep Research, 2026)."""


def cost_of(agent: str) -> tuple[float, float]:
    """Lowest and highest price of a run of this agent in USD; for an unknown agent, the highest known prices."""
    return next((cost for name, cost in COSTS_USD.items() if agent.startswith(name)), max(COSTS_USD.values()))


def price_range(agent: str) -> str:
    """Words for the price of a run of this agent: "about $1 to $3"."""
    low, high = cost_of(agent)
    return f"about ${low:g} to ${high:g}"
