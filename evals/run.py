"""Plays evaluation sets with ADK's own evaluation service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from google.adk.agents import BaseAgent
from google.adk.apps import App
from google.adk.evaluation.base_eval_service import (
    EvaluateConfig,
    EvaluateRequest,
    InferenceConfig,
    InferenceRequest,
    InferenceResult,
)
from google.adk.evaluation.eval_case import EvalCase, SessionInput
from google.adk.evaluation.eval_config import EvalConfig, get_eval_metrics_from_config
from google.adk.evaluation.eval_metrics import EvalMetricResultPerInvocation, EvalStatus
from google.adk.evaluation.eval_set import EvalSet
from google.adk.evaluation.in_memory_eval_sets_manager import InMemoryEvalSetsManager
from google.adk.evaluation.local_eval_service import LocalEvalService
from google.adk.evaluation.metric_evaluator_registry import register_custom_metrics_from_config

from evals.facts import Facts, facts_of
from evals.live import Budget
from evals.public import OFFENSIVE
from evals.result import Case, Said, Turn

CALLS, TOKENS, SECONDS = "inference_call_count_v1", "token_usage_v1", "invocation_duration_v1"
"""ADK's own metrics that every run has."""


@dataclass(frozen=True)
class Player:
    """Plays cases against an application, one at a time or several."""

    app: App
    criteria: EvalConfig

    @property
    def root(self) -> BaseAgent:
        """The agent that is talked to."""
        assert isinstance(self.app.root_agent, BaseAgent)
        return self.app.root_agent

    async def play(
        self, sets: Sequence[EvalSet], at_once: int = 4, budget: Budget | None = None
    ) -> AsyncIterator[Case]:
        """Yields each case as it is done; those that the budget does not allow are not played."""
        free, service = asyncio.Semaphore(at_once), self._service(sets)

        async def one(eval_set: EvalSet, case: EvalCase) -> Case | None:
            async with free, budget.room(case) if budget else nullcontext(True) as fits:
                return await self._play(service, eval_set.eval_set_id, case) if fits else None

        tasks = [asyncio.create_task(one(each, case)) for each in sets for case in each.eval_cases]
        try:
            for task in asyncio.as_completed(tasks):
                if (played := await task) is not None:
                    yield played
        finally:
            for started in tasks:
                started.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _service(self, sets: Sequence[EvalSet]) -> LocalEvalService:
        stored = InMemoryEvalSetsManager()
        for each in sets:
            stored.create_eval_set(self.app.name, each.eval_set_id)
            for case in each.eval_cases:
                stored.add_eval_case(self.app.name, each.eval_set_id, _alone(case, each.eval_set_id))
        registry = register_custom_metrics_from_config(self.criteria)
        return LocalEvalService(self.root, stored, metric_evaluator_registry=registry, app=self.app)

    async def _play(self, service: LocalEvalService, set_id: str, case: EvalCase) -> Case:
        request = InferenceRequest(
            app_name=self.app.name,
            eval_set_id=set_id,
            eval_case_ids=[case.eval_id],
            inference_config=InferenceConfig(),
        )
        (played,) = [result async for result in service.perform_inference(request)]
        if error := _failure(played):
            return Case(set=set_id, id=case.eval_id, passed=False, error=error)
        config = EvaluateConfig(eval_metrics=get_eval_metrics_from_config(self.criteria))
        judged = EvaluateRequest(inference_results=[played], evaluate_config=config)
        (result,) = [result async for result in service.evaluate(judged)]
        passed = result.final_eval_status == EvalStatus.PASSED
        turns = [turn_of(each) for each in result.eval_metric_result_per_invocation]
        if set_id == OFFENSIVE:
            turns = [turn.without_words() for turn in turns]
        return Case(set=set_id, id=case.eval_id, passed=passed, turns=turns)


def load_criteria(path: Path) -> EvalConfig:
    """ADK's criteria file."""
    return EvalConfig.model_validate_json(path.read_text(encoding="utf-8"))


def models_of(agent: BaseAgent) -> dict[str, str]:
    """The model of each agent, by name."""
    model = getattr(agent, "canonical_model", None)
    name = getattr(model, "model", None) or getattr(agent, "agent", "")
    found = {agent.name: str(name)}
    for child in agent.sub_agents:
        found |= models_of(child)
    return found


def turn_of(result: EvalMetricResultPerInvocation) -> Turn:
    """A turn with what ADK's evaluation says of it."""
    scores = {each.metric_name: each.score for each in result.eval_metric_results}
    measured = {name: scores.pop(name, None) for name in (CALLS, TOKENS, SECONDS)}
    scores.pop("tool_call_count_v1", None)
    actual = facts_of(result.actual_invocation)
    expected = facts_of(result.expected_invocation) if result.expected_invocation else None
    return Turn(
        user=actual.asked,
        expected=said_in(expected, actual.route) if expected else Said(),
        actual=said_in(actual),
        scores=scores,
        failed=[each.metric_name for each in result.eval_metric_results if each.eval_status == EvalStatus.FAILED],
        calls=measured[CALLS],
        tokens=measured[TOKENS],
        seconds=measured[SECONDS],
    )


def said_in(facts: Facts, route: str = "") -> Said:
    """Facts as they are kept; of several routes that are right the one that was taken."""
    category, confidence = facts.verdicts[0] if facts.verdicts else ("", None)
    return Said(
        route=route if route in facts.routes else facts.routes[0],
        tools=[(name, dict(args)) for name, args in facts.tools],
        research=facts.research,
        verdict=category,
        confidence=confidence,
        text=facts.text,
    )


def _alone(case: EvalCase, set_id: str) -> EvalCase:
    """With a user of its own: researches and limits are the user's."""
    given = case.session_input or SessionInput(app_name="", user_id="")
    own = given.model_copy(update={"user_id": f"eval-{set_id}-{case.eval_id}"})
    return case.model_copy(update={"session_input": own})


def _failure(result: InferenceResult) -> str:
    if result.inferences is not None and not result.error_message:
        return ""
    return result.error_message or "it could not be played"
