"""Compares two evaluation runs, and tells differences from noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap

from evals.result import Case, Run

SAMPLES = 4_000
"""Number of resamplings of the bootstrap."""
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
    """`low` and `high`: the 95 % confidence interval of the difference."""

    @property
    def change(self) -> float:
        """Second minus first."""
        return self.second - self.first

    @property
    def verdict(self) -> str:
        """better, worse, same or noise: a difference whose interval contains 0 may be chance."""
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
            low, high = interval([b - a for a, b in scores])
            before, after = (sum(column) / len(scores) for column in zip(*scores, strict=True))
            found.append(Difference(metric, len(scores), before, after, low, high))
    return found


def changed(first: Run, second: Run) -> list[tuple[Case, Case]]:
    """Cases that passed in only one of the runs; those that fail in the second come first."""
    others = {case.key: case for case in second.cases}
    pairs = [(case, others[case.key]) for case in first.cases if case.key in others]
    return sorted((pair for pair in pairs if pair[0].passed != pair[1].passed), key=lambda pair: pair[1].passed)


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of a mean of paired differences, by the percentile bootstrap with a fixed seed.

    If all differences are equal, resampling shows no spread: then the margin is what one more case could change.
    """
    mean = sum(differences) / len(differences)
    if len(set(differences)) == 1:
        margin = 1 / (len(differences) + 1) if mean else 0.0
        return mean - margin, mean + margin
    found = bootstrap((differences,), np.mean, n_resamples=SAMPLES, method="percentile", rng=0).confidence_interval
    return float(found.low), float(found.high)


def _score(case: Case, metric: str) -> float | None:
    return float(case.passed) if metric == PASSED else case.score(metric)
