"""Limits a live evaluation: a budget in USD, and no research runs unless requested."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from google.adk.agents import BaseAgent
from google.adk.evaluation.eval_case import EvalCase
from google.adk.evaluation.eval_set import EvalSet
from google.adk.models import LLMRegistry, LlmRequest, LlmResponse

from evals.effects import MAX_CREATES
from evals.invocation_facts import facts_of
from tools.adk.model import InteractionsLlm
from tools.research.pricing import cost_of
from tools.research.quotas import Quotas
from tools.researcher.agent import Researcher

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
        sizes = [_size(case) for case in cases]
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
                    turns, runs = _size(case)
                    self.turns += turns
                    self.runs += runs
                    self._released.notify_all()

    def _fits(self, case: EvalCase) -> bool:
        return self.spent + sum(self._reservations.values()) + self.estimate(case) <= self.max_usd


def count_tokens(budget: Budget) -> None:
    """Makes every new model on the Interactions API, of agents and judges, add its tokens to the budget."""

    class CountingLlm(InteractionsLlm):
        async def generate_content_async(
            self, llm_request: LlmRequest, stream: bool = False
        ) -> AsyncGenerator[LlmResponse, None]:
            async for response in super().generate_content_async(llm_request, stream):
                if not response.partial and response.usage_metadata:
                    budget.tokens += response.usage_metadata.total_token_count or 0
                yield response

    CountingLlm.__name__ = InteractionsLlm.__name__  # ADK's registry identifies a class by its name
    LLMRegistry.register(CountingLlm)
    LLMRegistry.resolve.cache_clear()


@contextmanager
def no_research(root: BaseAgent) -> Iterator[None]:
    """Inside the block, a limit refuses every research run. A refused run still counts as ordered."""
    found = researchers(root)
    limits = [each.limits for each in found]
    for each in found:
        each.limits = Quotas(usd_per_day=0.01)
    try:
        yield
    finally:
        for each, before in zip(found, limits, strict=True):
            each.limits = before


def usd_per_run(root: BaseAgent) -> float:
    """Upper price in USD of a research run by the most expensive researcher."""
    return max((cost_of(each.agent)[1] for each in researchers(root)), default=0.0)


def researchers(root: BaseAgent) -> list[Researcher]:
    """The researchers among an agent and its descendants."""
    below = [found for child in root.sub_agents for found in researchers(child)]
    return [root, *below] if isinstance(root, Researcher) else below


def split_by_research(sets: Sequence[EvalSet]) -> tuple[list[EvalSet], list[EvalSet]]:
    """Splits sets into cases that order no research run, and cases that order one."""
    return _cases_with(sets, research=False), _cases_with(sets, research=True)


def _cases_with(sets: Sequence[EvalSet], research: bool) -> list[EvalSet]:
    kept = [
        each.model_copy(update={"eval_cases": [case for case in each.eval_cases if bool(_size(case)[1]) == research]})
        for each in sets
    ]
    return [each for each in kept if each.eval_cases]


def _size(case: EvalCase) -> tuple[int, int]:
    """The number of turns of a case, and the number of runs and plans that the case may create."""
    turns = [facts_of(turn) for turn in case.conversation or ()]
    return len(turns), sum(MAX_CREATES.get(turn.effects[0], 0) for turn in turns)
