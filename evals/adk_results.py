"""Converts ADK's results of an evaluation into those that are stored."""

from __future__ import annotations

from google.adk.evaluation.eval_metrics import EvalMetricResultPerInvocation, EvalStatus

from evals.effects import Expectation
from evals.invocation_facts import Facts, facts_of
from evals.result import Turn, TurnOutcome

CALLS_METRIC, TOKENS_METRIC, SECONDS_METRIC = "inference_call_count_v1", "token_usage_v1", "invocation_duration_v1"
"""Names of ADK's own metrics, which every run measures."""


def turn_of(result: EvalMetricResultPerInvocation) -> Turn:
    """Converts ADK's evaluation of a turn into a `Turn`."""
    scores = {each.metric_name: each.score for each in result.eval_metric_results}
    measured = {name: scores.pop(name, None) for name in (CALLS_METRIC, TOKENS_METRIC, SECONDS_METRIC)}
    scores.pop("tool_call_count_v1", None)
    actual = facts_of(result.actual_invocation)
    expected = facts_of(result.expected_invocation) if result.expected_invocation else None
    return Turn(
        user=actual.message,
        expected=outcome_of(expected, actual.route) if expected else TurnOutcome(),
        actual=outcome_of(actual),
        scores=scores,
        failed=[each.metric_name for each in result.eval_metric_results if each.eval_status == EvalStatus.FAILED],
        calls=measured[CALLS_METRIC],
        tokens=measured[TOKENS_METRIC],
        seconds=measured[SECONDS_METRIC],
    )


def outcome_of(facts: Facts, route: str = "") -> TurnOutcome:
    """Converts facts into stored form.

    Args:
        route: the actual route. It is stored if it is accepted; otherwise the best accepted route is stored.
    """
    category, confidence = facts.verdicts[0] if facts.verdicts else ("", None)
    return TurnOutcome(
        route=route if route in facts.routes else facts.routes[0],
        tools=[(name, dict(args)) for name, args in facts.tools],
        research=facts.research,
        effects=list(facts.effects) if facts.tool_effects or facts.expectation else [],
        brief=facts.brief or _marked_words(facts.expectation),
        about=facts.about or " ".join(facts.expectation.about if facts.expectation else ()),
        creates=facts.creates,
        yeses=facts.yeses,
        verdict=category,
        confidence=confidence,
        text=facts.text,
    )


def _marked_words(expectation: Expectation | None) -> str:
    """The required and forbidden words of a brief, marked as in expected answers."""
    if expectation is None:
        return ""
    return " ".join(
        [*(f"**{words}**" for words in expectation.brief_has), *(f"~~{words}~~" for words in expectation.brief_lacks)]
    )
