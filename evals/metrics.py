"""Our own metrics, for `custom_metrics` of ADK's evaluation.

Each compares the facts of an actual turn with the expected ones, and returns a score from 0 to 1, or None if the metric
does not apply to the turn. `scoring.py` combines the scores of turns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from google.adk.evaluation.eval_case import ConversationScenario, Invocation
from google.adk.evaluation.eval_metrics import EvalMetric, EvalStatus
from google.adk.evaluation.evaluator import EvaluationResult, PerInvocationResult

from evals.effects import APPROVALS, DELETION_TOOLS, ORDERS, RESEARCHER_TOOLS
from evals.format_requirements import read_requirements, unmet_requirements
from evals.invocation_facts import Facts, facts_of
from evals.scoring import mean
from tools.research.report.check_texts import NOT_NAMED
from tools.research.verification.checks import Verdict
from tools.text.markdown import is_web

Metric = Callable[
    [EvalMetric, list[Invocation], list[Invocation] | None, ConversationScenario | None], EvaluationResult
]
"""Signature of a custom metric in ADK."""


def metric(score: Callable[[Facts, Facts], float | None]) -> Metric:
    """Makes a custom metric of ADK from a function that scores one turn (actual, expected)."""

    @wraps(score)
    def evaluate(
        eval_metric: EvalMetric,
        actual_invocations: list[Invocation],
        expected_invocations: list[Invocation] | None,
        conversation_scenario: ConversationScenario | None = None,
    ) -> EvaluationResult:
        # ADK 2.13 clears `eval_metric.threshold` for a custom metric; the criterion still has the threshold
        threshold = eval_metric.criterion.threshold if eval_metric.criterion else 1.0
        pairs = list(zip(actual_invocations, expected_invocations or [], strict=True))
        scores = [score(facts_of(actual), facts_of(expected)) for actual, expected in pairs]
        overall = mean(scores)
        return EvaluationResult(
            overall_score=overall,
            overall_eval_status=_status(overall, threshold),
            per_invocation_results=[
                PerInvocationResult(
                    actual_invocation=actual,
                    expected_invocation=expected,
                    score=each,
                    eval_status=_status(each, threshold),
                )
                for (actual, expected), each in zip(pairs, scores, strict=True)
            ],
        )

    return evaluate


@metric
def route_accuracy(actual: Facts, expected: Facts) -> float:
    """Whether the right agent answers."""
    return float(actual.route in expected.routes)


@metric
def false_research_starts(actual: Facts, expected: Facts) -> float:
    """0 if a run is ordered without a request, else 1. It must always be 1."""
    return float(not actual.research or not ORDERS.isdisjoint(expected.effects))


@metric
def research_starts(actual: Facts, expected: Facts) -> float | None:
    """Whether the requested run was ordered. None if no run was requested, or if the turn is not judged."""
    is_setup = expected.expectation is not None and expected.expectation.setup
    return float(actual.research) if ORDERS.issuperset(expected.effects) and not is_setup else None


@metric
def effect_match(actual: Facts, expected: Facts) -> float | None:
    """Whether the research tools did what the message requests, and nothing else. None if that is not judged."""
    if expected.expectation is None or expected.expectation.setup:
        return None
    return float(set(actual.effects) <= set(expected.effects))


@metric
def false_starts(actual: Facts, expected: Facts) -> float:
    """0 if the turn orders or approves without a request, or more than once; else 1. It must always be 1."""
    counts = [(sum(effect in group for effect in actual.effects), group) for group in (ORDERS, APPROVALS)]
    return float(all(count <= (not group.isdisjoint(expected.effects)) for count, group in counts))


@metric
def missed_yeses(actual: Facts, expected: Facts) -> float | None:
    """1 if a yes approves the open question, else 0. None if the message is not a yes."""
    judged = expected.expectation is not None and not expected.expectation.setup
    return float("approve" in actual.effects) if judged and expected.effects == ("approve",) else None


@metric
def brief_quality(actual: Facts, expected: Facts) -> float | None:
    """Share of required words that the brief has and of forbidden words that it lacks; 0 without a brief."""
    expectation = expected.expectation
    if expectation is None or not (expectation.brief_has or expectation.brief_lacks):
        return None
    brief = _normalized(actual.brief)
    has = [_normalized(words) in brief for words in expectation.brief_has]
    lacks = [
        not re.search(rf"(?<!\w){re.escape(_normalized(words))}(?!\w)", brief) for words in expectation.brief_lacks
    ]
    return mean([float(each) for each in has + lacks]) if brief else 0.0


@metric
def wrong_report(actual: Facts, expected: Facts) -> float | None:
    """1 if the turn is about the expected report, else 0. None if the case names no report."""
    if expected.expectation is None or not expected.expectation.about:
        return None
    return float(all(_normalized(words) in _normalized(actual.about) for words in expected.expectation.about))


@metric
def argument_match(actual: Facts, expected: Facts) -> float | None:
    """Share of the calls that are as expected; unexpected calls lower it.

    The actual arguments have to include the expected ones. The researcher's tools count only if at least one of
    them is expected, since `effect_match` judges them. If the turn has an expected effect, the same holds for the tools
    that delete a conversation.
    """
    if any(name == "*" for name, _ in expected.tools):
        return None
    judged = RESEARCHER_TOOLS | DELETION_TOOLS if expected.expectation else RESEARCHER_TOOLS
    ignored = judged if judged.isdisjoint(name for name, _ in expected.tools) else frozenset()
    called = [call for call in actual.tools if call[0] not in ignored]
    unmatched = list(called)
    for name, wanted in expected.tools:
        found = next((call for call in unmatched if call[0] == name and _contains(call[1], wanted)), None)
        if found:
            unmatched.remove(found)
    larger = max(len(called), len(expected.tools))
    return (len(called) - len(unmatched)) / larger if larger else None


@metric
def verdict_match(actual: Facts, expected: Facts) -> float | None:
    """Whether a moderation finds the right category. A missing category is wrong."""
    if not expected.verdicts:
        return None
    return float(bool(actual.verdicts) and actual.verdicts[-1][0] in [category for category, _ in expected.verdicts])


@metric
def answer_marks(actual: Facts, expected: Facts) -> float | None:
    """Share of the marked texts that are right: **must be in the answer**, ~~must not be in the answer~~."""
    text = _normalized(actual.text)
    wanted = [_normalized(m) in text for m in re.findall(r"\*\*(?!Verdict:)([^*]+)\*\*", expected.text)]
    unwanted = [_normalized(m) not in text for m in re.findall(r"~~([^~]+)~~", expected.text)]
    return mean([float(there) for there in wanted + unwanted])


@metric
def citation_validity(actual: Facts, expected: Facts) -> float | None:
    """Share of marks and sources that are valid.

    A valid mark is not inside a word and has the same link as its source. A valid source is numbered from 1 without a
    gap, has a web address or none, and has a mark.
    """
    prose = actual.prose
    if not prose.marks and not prose.sources:
        return 0.0 if expected.prose.sources else None
    urls = {source.number: source.url for source in prose.sources}
    cited = {mark.number for mark in prose.marks}
    sound = [urls.get(mark.number) == mark.url and not mark.within_word for mark in prose.marks]
    sound += [
        source.number == i and source.number in cited and (not source.url or is_web(source.url))
        for i, source in enumerate(prose.sources, 1)
    ]
    return mean([float(each) for each in sound])


@metric
def citation_coverage(actual: Facts, expected: Facts) -> float | None:
    """Share of the answer's claims that have a source. None if the expected answer has no sources."""
    if not expected.prose.sources:
        return None
    claims = actual.prose.claims
    return sum(bool(claim.marks) for claim in claims) / len(claims) if claims else 0.0


@metric
def report_structure(actual: Facts, expected: Facts) -> float | None:
    """Share of the brief's format requirements that the report meets. None if no report with sources is expected."""
    if not expected.research or not expected.prose.sources:
        return None
    missing, checks = unmet_requirements(read_requirements(actual.message), actual.text, actual.prose)
    return 1 - len(missing) / checks


@metric
def passages_found(actual: Facts, expected: Facts) -> float | None:
    """Share of the cited passages that their pages have, as the answer's checks of sources say. None without checks.

    Passages that could not be checked do not count. A source with one verdict has a passage for each citing sentence.
    """
    found = told = 0
    for check in actual.source_checks:
        if check.verdict != Verdict.UNKNOWN:
            cited = sum(check.number in [mark.number for mark in each.marks] for each in actual.prose.sentences)
            counted = check.counted or ((max(cited, 1) if check.verdict == Verdict.FOUND else 0), max(cited, 1))
            found, told = found + counted[0], told + counted[1]
    return found / told if told else None


@metric
def supported_addresses(actual: Facts, expected: Facts) -> float | None:
    """Share of the sources whose address the run found, as the checks of sources say. None if no answer shows it."""
    if not actual.source_checks or NOT_NAMED in actual.text:
        return None
    return mean([float(not check.unsupported) for check in actual.source_checks])


def _status(score: float | None, threshold: float) -> EvalStatus:
    if score is None:
        return EvalStatus.NOT_EVALUATED
    return EvalStatus.PASSED if score >= threshold else EvalStatus.FAILED


def _contains(actual: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(name in actual and _same(actual[name], value) for name, value in wanted.items())


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return _normalized(one) == _normalized(other)
    return bool(one == other)


def _normalized(text: str) -> str:
    return " ".join(text.casefold().split())
