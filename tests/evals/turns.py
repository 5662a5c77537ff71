"""Invocations as ADK's evaluation has them, made by hand."""

from __future__ import annotations

from typing import Any

from google.adk.evaluation.eval_case import IntermediateData, Invocation
from google.adk.evaluation.eval_metrics import BaseCriterion, EvalMetric
from google.adk.evaluation.evaluator import EvaluationResult
from google.genai import types

from evals.effects import EXPECTATION_CALL, Effect, Expectation
from evals.metrics import Metric

Call = tuple[str, dict[str, Any]] | tuple[str, dict[str, Any], dict[str, Any]]
"""Name and arguments, and the result of one that was played."""


def turn(answer: str = "", *calls: Call, asked: str = "Hello") -> Invocation:
    """A turn with its answer and its calls of functions."""
    named = [(f"call_{number}", *call) for number, call in enumerate(calls)]
    return Invocation(
        user_content=types.UserContent(asked),
        final_response=types.ModelContent(answer) if answer else None,
        intermediate_data=IntermediateData(
            tool_uses=[types.FunctionCall(id=id_, name=name, args=args) for id_, name, args, *_ in named],
            tool_responses=[
                types.FunctionResponse(id=id_, name=name, response=result[0])
                for id_, name, _, *result in named
                if result
            ],
        ),
    )


def wants(*effects: Effect, **more: Any) -> Call:
    """What an expected turn should do."""
    return EXPECTATION_CALL, Expectation(effects, **more).to_arguments()


def did(tool: str, state: str = "", title: str = "Bees", /, **arguments: Any) -> Call:
    """A call of one of the researcher's tools, and its result."""
    return tool, arguments, {"job": "job_ab23cd45", "state": state, "title": title}


def ordered(brief: str = "Bees in gardens", *, asks: bool = False, **arguments: Any) -> Call:
    """An order that was taken; `asks`: its price waits for a yes."""
    return did("start_research", "awaiting_approval" if asks else "intended", brief=brief, **arguments)


def refused(tool: str, error: str, **arguments: Any) -> Call:
    """A call that did nothing."""
    return tool, arguments, {"error": error}


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
