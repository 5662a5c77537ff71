"""What the sizes in docs/scaling.md say adds up."""

from __future__ import annotations

import dataclasses

import pytest

from tests.bench.scaling import SIZES, Load, Measured, reckon, simulate, table
from tests.conftest import ROOT

SAMPLE = 2_000


@pytest.mark.parametrize("load", [*SIZES[:2], dataclasses.replace(SIZES[1], failures=20)])
def test_no_research_and_no_second_is_lost_in_the_simulation(load: Load) -> None:
    fleet = simulate(load, SAMPLE)
    assert fleet.ordered == fleet.ended + fleet.running
    assert fleet.job_time == pytest.approx(fleet.followed_time + fleet.orphaned_time)
    assert all(delay >= 0 for delay in fleet.delays)


def test_without_crashes_every_research_is_followed_all_the_time() -> None:
    fleet = simulate(dataclasses.replace(SIZES[1], failures=0), SAMPLE)
    assert (fleet.orphaned, fleet.delays) == (0, [])


def test_nobody_waits_longer_than_a_lease_and_a_look_when_there_are_others() -> None:
    load = dataclasses.replace(SIZES[1], failures=20)
    fleet = simulate(load, SAMPLE)
    assert fleet.delays
    assert max(fleet.delays) <= load.lease + load.look


def test_rates_grow_with_what_is_asked_and_are_shared_by_the_replicas() -> None:
    load = SIZES[1]
    fleet = simulate(load, SAMPLE)
    once, twice = (
        reckon(each, Measured(), fleet)
        for each in (load, dataclasses.replace(load, researches=2 * load.researches, replicas=2 * load.replicas))
    )
    assert twice["researches at a time"] == 2 * once["researches at a time"]
    assert twice["of them on one replica"] == once["of them on one replica"]
    assert twice["connections at most"] == 2 * once["connections at most"]


def test_the_table_in_the_document_is_what_comes_out() -> None:
    assert table(SIZES) in (ROOT / "docs" / "scaling.md").read_text()
