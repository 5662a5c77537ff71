"""Compares two evaluation runs, and separates real differences from noise."""

from __future__ import annotations

from dataclasses import dataclass

from evals.result import Case, Run
from evals.scoring import case_score
from evals.statistics import CONFIDENCE_LEVEL, interval

PASSED = "passed"


@dataclass(frozen=True)
class Difference:
    """A metric in two runs, over the cases that both have."""

    metric: str
    cases: int
    first: float
    second: float
    low: float
    high: float
    """`low` and `high` are the ends of the 95 % confidence interval of the difference."""

    @property
    def change(self) -> float:
        """The value in the second run minus the value in the first run."""
        return self.second - self.first

    @property
    def verdict(self) -> str:
        """better, worse, same or noise. Noise is a difference that may be chance: its interval contains 0."""
        if self.low <= 0 <= self.high:
            return "same" if self.change == 0 else "noise"
        return "better" if self.change > 0 else "worse"


def compare(first: Run, second: Run) -> list[Difference]:
    """Compares each metric, and the share of passed cases, over the cases that both runs have."""
    others = {case.key: case for case in second.cases}
    pairs = [(case, others[case.key]) for case in first.cases if case.key in others]
    found = []
    for metric in [PASSED, *(name for name in first.metrics if name in second.metrics)]:
        scores = [
            (a, b)
            for one, two in pairs
            if (a := _score(one, metric)) is not None and (b := _score(two, metric)) is not None
        ]
        if scores:
            low, high = interval([b - a for a, b in scores], CONFIDENCE_LEVEL)
            before, after = (sum(column) / len(scores) for column in zip(*scores, strict=True))
            found.append(Difference(metric, len(scores), before, after, low, high))
    return found


def changed_cases(first: Run, second: Run) -> list[tuple[Case, Case]]:
    """Cases that passed in only one of the runs; the cases that fail in the second run come first."""
    others = {case.key: case for case in second.cases}
    pairs = [(case, others[case.key]) for case in first.cases if case.key in others]
    return sorted((pair for pair in pairs if pair[0].passed != pair[1].passed), key=lambda pair: pair[1].passed)


def _score(case: Case, metric: str) -> float | None:
    return float(case.passed) if metric == PASSED else case_score(case, metric)
