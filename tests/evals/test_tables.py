"""The statistics agree with what can be reckoned by hand."""

from __future__ import annotations

import pytest

from evals.statistics import Bin, calibration, confusion, expected_error, scores, wilson

PAIRS = [("spam", "spam"), ("spam", "safe"), ("safe", "safe"), ("safe", "safe"), ("harmful", "spam")]
"""Expected, actual."""


def test_confusion_matrix_rows_are_the_expected_labels() -> None:
    table = confusion(PAIRS)
    assert table.labels == ("harmful", "safe", "spam")
    assert table.counts == ((0, 0, 1), (0, 2, 0), (0, 1, 1))


def test_precision_recall_and_f1_match_hand_calculation() -> None:
    found = scores(PAIRS)
    safe, spam, harmful = found["safe"], found["spam"], found["harmful"]
    assert (safe.precision, safe.recall, safe.support) == (2 / 3, 1.0, 2)
    assert safe.f1 == pytest.approx(0.8)
    assert (spam.precision, spam.recall, spam.f1) == (0.5, 0.5, 0.5)
    assert (harmful.precision, harmful.recall, harmful.f1) == (None, 0.0, 0.0)


def test_calibration_bins_and_expected_error_match_hand_calculation() -> None:
    bins = calibration([(0.95, True), (0.95, False), (1.0, True), (0.5, True), (0.0, False)])
    assert [(b.size, round(b.accuracy, 3)) for b in bins] == [(1, 0.0), (1, 1.0), (3, 0.667)]
    assert expected_error([Bin(0.9, 0.5, 3), Bin(0.5, 0.5, 1)]) == pytest.approx(0.3)
    assert expected_error([]) == 0


def test_the_wilson_interval_matches_published_values() -> None:
    low, high = wilson(8, 10)  # Wilson 1927: 0.490 to 0.943
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert wilson(0, 5)[0] == 0 and wilson(5, 5)[1] == 1
