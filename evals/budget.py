"""The budget of a live evaluation in USD, and the estimates of what its cases cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evals.effects import MAX_CREATES

if TYPE_CHECKING:
    from google.adk.evaluation.eval_case import EvalCase

MAX_USD = 1.0
"""The default of `--max-cost`."""
TOKENS_PER_TURN = 15_000
"""Estimated tokens of a turn, agents and judges together; the mean of the measured turns counts if it is higher."""
USD_PER_MILLION = 12.0
"""Estimated USD of a million tokens: the most expensive output token of the Gemini 3 models (3.1 Pro, Google's price
list, 2026). Most tokens cost a tenth of that; the estimate is high, since a budget must not be exceeded."""


@dataclass
class Budget:
    """The budget of an evaluation in USD. Tokens count at the highest price, research runs at their upper price."""

    max_usd: float
    usd_per_million: float = USD_PER_MILLION
    usd_per_run: float = 0.0
    tokens: int = 0
    turns: int = 0
    runs: int = 0
    _reservations: dict[int, float] = field(default_factory=dict)
    _released: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def spent(self) -> float:
        """Upper estimate of the USD spent so far."""
        return self.tokens * self.usd_per_million / 1e6 + self.runs * self.usd_per_run

    def estimate(self, *cases: EvalCase) -> float:
        """Upper estimate of the USD that cases cost."""
        sizes = [case_size(case) for case in cases]
        mean = self.tokens / self.turns if self.turns else 0
        tokens = max(mean, TOKENS_PER_TURN) * sum(turns for turns, _ in sizes)
        return tokens * self.usd_per_million / 1e6 + self.usd_per_run * sum(starts for _, starts in sizes)

    @asynccontextmanager
    async def reserve(self, case: EvalCase) -> AsyncIterator[bool]:
        """Reserves the estimated cost of a case while it is played; waits for other cases to free their reservations.

        Yields whether the case may be played.
        """
        async with self._released:
            await self._released.wait_for(lambda: self._fits(case) or not self._reservations)
            if fits := self._fits(case):
                self._reservations[id(case)] = self.estimate(case)
        try:
            yield fits
        finally:
            if fits:
                async with self._released:
                    del self._reservations[id(case)]
                    turns, runs = case_size(case)
                    self.turns += turns
                    self.runs += runs
                    self._released.notify_all()

    def _fits(self, case: EvalCase) -> bool:
        return self.spent + sum(self._reservations.values()) + self.estimate(case) <= self.max_usd


def case_size(case: EvalCase) -> tuple[int, int]:
    """The number of turns of a case, and the number of runs and plans that the case may create."""
    from evals.invocation_facts import (
        facts_of,  # not at the top: ADK is slow to import, and the command line needs MAX_USD
    )

    turns = [facts_of(turn) for turn in case.conversation or ()]
    return len(turns), sum(MAX_CREATES.get(turn.effects[0], 0) for turn in turns)
