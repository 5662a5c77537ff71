"""Two runs are compared case by case, and a difference that may be chance is called noise."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.compare import PASSED, changed_cases, compare
from evals.result import Case, ResultError, Run, Turn, TurnOutcome, load_run, save_run
from evals.scoring import case_score
from evals.statistics import CONFIDENCE_LEVEL, interval


def run(passed: str, scores: list[float] | None = None, name: str = "a") -> Run:
    """A run of cases that passed ("+") or not ("-")."""
    cases = []
    for i, mark in enumerate(passed):
        turn = Turn(
            user="hello", expected=TurnOutcome(), actual=TurnOutcome(), scores={"route": scores[i] if scores else None}
        )
        cases.append(Case(set="s", id=f"c{i:03}", passed=mark == "+", turns=[turn]))
    return Run(name=name, created="2026-01-01T00:00:00Z", backend="emulator", models={"desk": "m"}, cases=cases)


def test_equal_runs_compare_as_the_same() -> None:
    [found] = compare(run("++-+"), run("++-+"))
    assert (found.metric, found.cases, found.change, found.verdict) == (PASSED, 4, 0, "same")


def test_a_difference_of_one_case_in_twenty_is_noise() -> None:
    [found] = compare(run("+" * 20), run("+" * 19 + "-"))
    assert (round(found.change, 3), found.verdict) == (-0.05, "noise")
    assert found.low < -0.05 < 0 <= found.high


def test_a_difference_in_most_cases_is_better_or_worse_and_not_noise() -> None:
    [found] = compare(run("-" * 20), run("+" * 15 + "-" * 5))
    assert found.verdict == "better"
    assert 0.5 < found.low < 0.75 < found.high < 1
    [found] = compare(run("+" * 20), run("-" * 20))
    assert found.verdict == "worse"


def test_the_confidence_interval_of_a_single_case_is_wide() -> None:
    low, high = interval([1.0], CONFIDENCE_LEVEL)
    assert (low, high) == (0.5, 1.5)
    assert interval([0.0, 0.0], CONFIDENCE_LEVEL) == (0.0, 0.0)


def test_metrics_are_compared_over_cases_common_to_both_runs() -> None:
    first = run("+++", [1, 1, 0])
    second = run("++", [1, 0])
    route = next(each for each in compare(first, second) if each.metric == "route")
    assert (route.cases, route.first, route.second) == (2, 1.0, 0.5)
    assert compare(first, run("")) == []


def test_the_same_comparison_gives_the_same_interval() -> None:
    differences = [0.1, -0.2, 0.3, 0.0, 0.5, -0.1]
    assert interval(differences, CONFIDENCE_LEVEL) == interval(differences, CONFIDENCE_LEVEL)


def test_newly_failing_cases_are_listed_before_newly_passing_ones() -> None:
    found = [(after.id, after.passed) for _, after in changed_cases(run("+-+"), run("-++"))]
    assert found == [("c000", False), ("c001", True)]


def test_a_case_with_an_error_counts_as_failed_and_has_no_metric_scores() -> None:
    broken = Case(set="s", id="c000", passed=False, error="no answer")
    assert case_score(broken, "route") is None
    (passed,) = compare(run("+", [1.0]), run("+", [1.0]).model_copy(update={"cases": [broken]}))
    assert (passed.metric, passed.first, passed.second) == ("passed", 1.0, 0.0)


def test_a_saved_run_loads_unchanged_and_other_files_are_refused(tmp_path: Path) -> None:
    first = run("+-", [1.0, 0.5])
    save_run(first, tmp_path / "a" / "run.json")
    assert load_run(tmp_path / "a" / "run.json") == first
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ResultError, match=r"other\.json: not a result"):
        load_run(tmp_path / "other.json")
    with pytest.raises(ResultError, match=r"no\.json: No such file"):
        load_run(tmp_path / "no.json")
