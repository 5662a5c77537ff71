"""Invocations as ADK's evaluation has them, made by hand."""

from __future__ import annotations

from typing import Any

from google.adk.evaluation.eval_case import IntermediateData, Invocation
from google.adk.evaluation.eval_metrics import BaseCriterion, EvalMetric
from google.adk.evaluation.evaluator import EvaluationResult
from google.genai import types

from evals.metrics import Metric

Call = tuple[str, dict[str, Any]]


def turn(answer: str = "", *calls: Call, asked: str = "Hello", begins: bool = False) -> Invocation:
    """A turn with its answer and its calls of functions; `begins`: a research does."""
    said = [("researcher", [types.Part(text="🔎 Research `r1` begins.")])] if begins else []
    return Invocation(
        user_content=types.UserContent(asked),
        final_response=types.ModelContent(answer) if answer else None,
        intermediate_data=IntermediateData(
            tool_uses=[types.FunctionCall(name=name, args=args) for name, args in calls], intermediate_responses=said
        ),
    )


def to(agent: str) -> Call:
    """The call that hands over."""
    return "transfer_to_agent", {"agent_name": agent}


def judge(metric: Metric, actual: Invocation, expected: Invocation, threshold: float = 1.0) -> EvaluationResult:
    """What a metric makes of one turn, called as ADK calls it."""
    asked = EvalMetric(metric_name="m", criterion=BaseCriterion(threshold=threshold))
    return metric(asked, [actual], [expected], None)


def score(metric: Metric, actual: Invocation, expected: Invocation) -> float | None:
    """The score of one turn."""
    return judge(metric, actual, expected).overall_score
