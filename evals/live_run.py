"""Plays a live evaluation: after a confirmed estimate, within its budget, without research unless requested."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager

import typer
from google.adk.agents import BaseAgent
from google.adk.evaluation.eval_set import EvalSet
from google.adk.models import LLMRegistry, LlmRequest, LlmResponse

from evals.budget import Budget, case_size
from evals.progress import play
from evals.result import Case
from evals.runner import Player
from tools.adk.model import InteractionsLlm
from tools.cli.terminal import err
from tools.research.pricing import cost_of
from tools.research.quotas import Quotas
from tools.researcher.agent import Researcher


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
        each.model_copy(
            update={"eval_cases": [case for case in each.eval_cases if bool(case_size(case)[1]) == research]}
        )
        for each in sets
    ]
    return [each for each in kept if each.eval_cases]


async def play_live(
    player: Player, sets: Sequence[EvalSet], at_once: int, budget: Budget, allow_research: bool, yes: bool
) -> tuple[list[Case], list[str]]:
    """Plays the cases that the budget allows. Cases that expect no research run cannot start one.

    Returns the played cases, and messages about the cases that are left out.
    """
    skipped: list[str] = []
    without_research, with_research = split_by_research(sets)
    if not allow_research:
        count = sum(len(each.eval_cases) for each in with_research)
        skipped += [f"{count} cases that begin a research run, since --research was not given"] if count else []
        with_research = []
    budget.usd_per_run = usd_per_run(player.root)
    _confirm_estimate(budget, [*without_research, *with_research], yes)
    with no_research(player.root):
        cases = await play(player, without_research, at_once, budget)
    cases += await play(player, with_research, at_once, budget)
    total = sum(len(each.eval_cases) for each in [*without_research, *with_research])
    if len(cases) < total:
        skipped.append(f"{total - len(cases)} cases, since the budget of ${budget.max_usd:.2f} was reached")
    return cases, skipped


def _confirm_estimate(budget: Budget, sets: Sequence[EvalSet], yes: bool) -> None:
    price = budget.estimate(*(case for each in sets for case in each.eval_cases))
    err.print(f"first estimate: about ${price:.2f} at most; the run stops at ${budget.max_usd:.2f}")
    if not yes:
        typer.confirm("Play them?", abort=True, err=True)
