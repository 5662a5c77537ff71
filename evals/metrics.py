"""Metrics of our own, for `custom_metrics` of ADK's evaluation."""

from __future__ import annotations

import re
from typing import Any

from google.adk.evaluation.eval_case import ConversationScenario, Invocation
from google.adk.evaluation.eval_metrics import EvalMetric, EvalStatus
from google.adk.evaluation.evaluator import EvaluationResult, PerInvocationResult

MARKS = (
    r"\*\*Verdict: [^*]+\*\*",  # exactly this verdict
    r"(?m)^# ",  # a title
    r"(?m)^(\*\*Sources\*\*|## Sources)$",
    r"(?m)^1\. \[",  # a numbered source with a link
)


def answer_marks(
    eval_metric: EvalMetric,
    actual_invocations: list[Invocation],
    expected_invocations: list[Invocation] | None,
    conversation_scenario: ConversationScenario | None = None,
) -> EvaluationResult:
    """Share of the expected answer's marks that the actual answer has: a verdict, a title, numbered sources."""
    results = []
    for actual, expected in zip(actual_invocations, expected_invocations or [], strict=True):
        found, wanted = _marks(actual), _marks(expected)
        score = len(found & wanted) / len(wanted) if wanted else 1.0
        status = EvalStatus.PASSED if score >= (eval_metric.threshold or 0) else EvalStatus.FAILED
        results.append(
            PerInvocationResult(actual_invocation=actual, expected_invocation=expected, score=score, eval_status=status)
        )
    overall = sum(result.score or 0 for result in results) / len(results) if results else 1.0
    passed = overall >= (eval_metric.threshold or 0)
    return EvaluationResult(
        overall_score=overall,
        overall_eval_status=EvalStatus.PASSED if passed else EvalStatus.FAILED,
        per_invocation_results=results,
    )


def _marks(invocation: Invocation) -> set[str]:
    text = "".join(part.text or "" for part in _parts(invocation))
    return {match.group() for pattern in MARKS if (match := re.search(pattern, text))}


def _parts(invocation: Invocation) -> list[Any]:
    return (invocation.final_response.parts if invocation.final_response else None) or []
