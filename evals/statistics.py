"""Confidence intervals, and statistics over pairs of expected and actual labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE_LEVEL = 0.95
"""Level of the intervals. A difference of two runs counts if the interval of its mean does not contain zero."""
SAMPLES = 4_000
"""Number of resamplings of the bootstrap."""


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """A row for each expected label, a column for each actual one."""


@dataclass(frozen=True)
class Scores:
    """The scores of one label."""

    precision: float | None
    """None if no case had this actual label."""
    recall: float | None
    """None if no case had this expected label."""
    f1: float
    support: int
    """Number of pairs with this expected label."""


@dataclass(frozen=True)
class Bin:
    """Answers of similar confidence."""

    confidence: float
    """Mean confidence."""
    accuracy: float
    """Share of right answers."""
    size: int


def confusion(pairs: Sequence[tuple[str, str]]) -> Confusion:
    """The confusion matrix of pairs (expected, actual)."""
    counted = Counter(pairs)
    labels = tuple(sorted({label for pair in pairs for label in pair}))
    return Confusion(labels, tuple(tuple(counted[row, column] for column in labels) for row in labels))


def scores(pairs: Sequence[tuple[str, str]]) -> dict[str, Scores]:
    """Precision, recall and F1 of each label, from pairs (expected, actual)."""
    found = {}
    for label in sorted({label for pair in pairs for label in pair}):
        right = sum(expected == actual == label for expected, actual in pairs)
        given = sum(actual == label for _, actual in pairs)
        support = sum(expected == label for expected, _ in pairs)
        found[label] = Scores(
            precision=right / given if given else None,
            recall=right / support if support else None,
            f1=2 * right / (given + support),
            support=support,
        )
    return found


def calibration(answers: Sequence[tuple[float, bool]], bins: int = 10) -> list[Bin]:
    """Groups answers (confidence from 0 to 1, whether it is right) into bins of equal width; leaves out empty bins."""
    sorted_in: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in answers:
        sorted_in.setdefault(min(int(confidence * bins), bins - 1), []).append((confidence, right))
    return [
        Bin(sum(c for c, _ in each) / len(each), sum(right for _, right in each) / len(each), len(each))
        for _, each in sorted(sorted_in.items())
    ]


def expected_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: mean distance between confidence and accuracy over all answers."""
    total = sum(each.size for each in bins)
    return sum(each.size * abs(each.confidence - each.accuracy) for each in bins) / total if total else 0.0


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share."""
    from scipy.stats import binomtest  # takes a second to import, and only reports need it

    interval = binomtest(successes, n).proportion_ci(CONFIDENCE_LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def interval(differences: Sequence[float], level: float) -> tuple[float, float]:
    """The confidence interval of a mean of paired differences, by the percentile bootstrap with a fixed seed.

    If all differences are equal, resampling shows no spread. The margin is then the change that one more case could
    make.

    Args:
        level: confidence level, such as 0.95.
    """
    mean = sum(differences) / len(differences)
    if len(set(differences)) == 1:
        margin = 1 / (len(differences) + 1) if mean else 0.0
        return mean - margin, mean + margin
    import numpy as np
    from scipy.stats import bootstrap

    resampled = bootstrap(
        (differences,), np.mean, n_resamples=SAMPLES, confidence_level=level, method="percentile", rng=0
    )
    found = resampled.confidence_interval
    return float(found.low), float(found.high)
