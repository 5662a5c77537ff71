"""Waits before retries."""

from __future__ import annotations

import pytest

from tools.load_control.backoff import backoff_s, spread_wait


def test_each_wait_is_twice_as_long_as_the_one_before_up_to_the_longest() -> None:
    assert [backoff_s(retries, 2.0, 30.0) for retries in range(6)] == [2, 4, 8, 16, 30, 30]


def test_the_wait_has_no_limit_unless_one_is_given_and_never_overflows() -> None:
    assert backoff_s(10, 0.5) == 512
    assert backoff_s(10_000, 0.5, 30.0) == 30


@pytest.mark.parametrize(("draw", "alone", "asked"), [(0.0, 4.0, 10.0), (0.5, 8.0, 11.25), (1.0, 12.0, 12.5)])
def test_a_spread_wait_is_near_the_average_and_never_shorter_than_what_the_server_asks(
    draw: float, alone: float, asked: float
) -> None:
    assert spread_wait(8.0, 0.0, draw) == alone
    assert spread_wait(0.0, 10.0, draw) == asked
