"""The model of scaling is consistent, and docs/scaling.md shows its results."""

from __future__ import annotations

import dataclasses

import pytest

from tests.bench.scaling import SIZES, Load, Measured, reckon, simulate, table
from tests.conftest import ROOT

SAMPLE = 2_000


@pytest.mark.parametrize("load", [*SIZES[:2], dataclasses.replace(SIZES[1], failures=20)])
def test_the_simulation_accounts_for_every_run_and_every_second(load: Load) -> None:
    fleet = simulate(load, SAMPLE)
    assert fleet.ordered == fleet.ended + fleet.running
    assert fleet.job_time == pytest.approx(fleet.followed_time + fleet.orphaned_time)
    assert all(delay >= 0 for delay in fleet.delays)


def test_without_crashes_every_run_is_followed_all_the_time() -> None:
    fleet = simulate(dataclasses.replace(SIZES[1], failures=0), SAMPLE)
    assert (fleet.orphaned, fleet.delays) == (0, [])


def test_orphaned_runs_are_taken_over_within_a_lease_and_a_recovery_interval() -> None:
    load = dataclasses.replace(SIZES[1], failures=20)
    fleet = simulate(load, SAMPLE)
    assert fleet.delays
    assert max(fleet.delays) <= load.lease + load.look


def test_doubling_load_and_replicas_doubles_totals_but_not_load_per_replica() -> None:
    load = SIZES[1]
    fleet = simulate(load, SAMPLE)
    once, twice = (
        reckon(each, Measured(), fleet)
        for each in (load, dataclasses.replace(load, researches=2 * load.researches, replicas=2 * load.replicas))
    )
    assert twice["research runs at a time"] == 2 * once["research runs at a time"]
    assert twice["of them on one replica"] == once["of them on one replica"]
    assert twice["connections at most"] == 2 * once["connections at most"]


def test_the_table_in_the_document_matches_the_simulation() -> None:
    assert table(SIZES) in (ROOT / "docs" / "scaling.md").read_text()
