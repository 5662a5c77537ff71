"""Plays evaluation sets with ADK's own evaluation service."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, field
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
from google.adk.evaluation.eval_metrics import EvalStatus
from google.adk.evaluation.eval_set import EvalSet
from google.adk.evaluation.in_memory_eval_sets_manager import InMemoryEvalSetsManager
from google.adk.evaluation.local_eval_service import LocalEvalService
from google.adk.evaluation.metric_evaluator_registry import register_custom_metrics_from_config

from evals.adk_results import turn_of
from evals.budget import Budget
from evals.case_conditions import Conditions
from evals.emulator_control import CreateCount
from evals.public_datasets import OFFENSIVE_SET
from evals.result import Case
from evals.timeouts import SEND_POLL_SECONDS
from tools.load_control.concurrent_calls import run_each
from tools.research.factory import research
from tools.research.job import Kind
from tools.research.job_states import State
from tools.researcher.agent import Researcher


@dataclass(frozen=True)
class Player:
    """Plays cases against an application, one at a time or several."""

    app: App
    criteria: EvalConfig
    count: CreateCount = field(default_factory=CreateCount)
    """Counts the create requests that the server accepts during play."""

    @property
    def root(self) -> BaseAgent:
        """The root agent of the application."""
        assert isinstance(self.app.root_agent, BaseAgent)
        return self.app.root_agent

    async def play(
        self, sets: Sequence[EvalSet], at_once: int = 4, budget: Budget | None = None
    ) -> AsyncGenerator[Case, None]:
        """Plays cases, and yields each when it is done. Cases beyond the budget are not played.

        Cases with the same conditions are played concurrently.
        """
        await self.count.begin()
        groups = dict[Conditions, list[tuple[str, EvalCase]]]()
        for each in sets:
            for case in each.eval_cases:
                groups.setdefault(Conditions.from_case(case), []).append((each.eval_set_id, case))
        service = self._service(sets)
        for conditions, group in groups.items():
            async with conditions.apply(), aclosing(self._play_concurrently(service, group, at_once, budget)) as cases:
                async for played in cases:
                    await self.count.read(len(played.turns))
                    yield played
        await self.count.read()

    async def _play_concurrently(
        self, service: LocalEvalService, group: Sequence[tuple[str, EvalCase]], at_once: int, budget: Budget | None
    ) -> AsyncGenerator[Case, None]:
        async def play_case(each: tuple[str, EvalCase]) -> Case | None:
            set_id, case = each
            async with budget.reserve(case) if budget else nullcontext(True) as fits:
                return await self._play(service, set_id, case) if fits else None

        async with aclosing(run_each(play_case, group, at_once)) as cases:
            async for _, played in cases:
                if played is not None:
                    yield played

    def _service(self, sets: Sequence[EvalSet]) -> LocalEvalService:
        stored = InMemoryEvalSetsManager()
        for each in sets:
            stored.create_eval_set(self.app.name, each.eval_set_id)
            for case in each.eval_cases:
                stored.add_eval_case(self.app.name, each.eval_set_id, _with_own_user(case, each.eval_set_id))
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
        if error := _inference_error(played):
            return Case(set=set_id, id=case.eval_id, passed=False, error=error)
        config = EvaluateConfig(eval_metrics=get_eval_metrics_from_config(self.criteria))
        judged = EvaluateRequest(inference_results=[played], evaluate_config=config)
        (result,) = [result async for result in service.evaluate(judged)]
        passed = result.final_eval_status == EvalStatus.PASSED
        turns = [turn_of(each) for each in result.eval_metric_result_per_invocation]
        if set_id == OFFENSIVE_SET:
            turns = [turn.without_texts() for turn in turns]
        creates, allowed = await creates_of(user_of(set_id, case)), sum(turn.actual.creates for turn in turns)
        error = f"{creates} runs or plans were paid for, and {allowed} allowed" if creates > allowed else ""
        return Case(set=set_id, id=case.eval_id, passed=passed and not error, turns=turns, creates=creates, error=error)


def load_criteria(path: Path) -> EvalConfig:
    """Reads ADK's criteria file."""
    return EvalConfig.model_validate_json(path.read_text(encoding="utf-8"))


def models_of(agent: BaseAgent) -> dict[str, str]:
    """Maps each agent's name to its model. A researcher has a second entry: the Deep Research agent of its runs."""
    found = {agent.name: str(getattr(getattr(agent, "canonical_model", None), "model", ""))}
    if isinstance(agent, Researcher):
        found[f"runs of {agent.name}"] = agent.agent
    for child in agent.sub_agents:
        found |= models_of(child)
    return found


def _with_own_user(case: EvalCase, set_id: str) -> EvalCase:
    """A copy of the case with a user of its own, since runs and limits belong to a user."""
    given = case.session_input or SessionInput(app_name="", user_id="")
    own = given.model_copy(update={"user_id": user_of(set_id, case)})
    return case.model_copy(update={"session_input": own})


def user_of(set_id: str, case: EvalCase) -> str:
    """The id of the user that plays a case."""
    return f"eval-{set_id}-{case.eval_id}"


async def creates_of(user: str) -> int:
    """The number of a user's create requests in the spending table. Waits until no order is left to be sent."""
    service = research()
    while unsent := [job for job in await service.jobs(user) if job.state is State.INTENDED]:
        async with aclosing(service.watch(unsent[0].id, SEND_POLL_SECONDS)) as lines:
            async for _ in lines:
                pass
    return sum(entry.kind is not Kind.QUESTION for entry in await service.ledger.spending(user=user))


def _inference_error(result: InferenceResult) -> str:
    if result.inferences is not None and not result.error_message:
        return ""
    return result.error_message or "it could not be played"
