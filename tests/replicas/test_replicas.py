"""Two replicas over one PostgreSQL, killed and restarted under load: nothing lost, started twice or answered twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ledger.server import NoServer, postgresql
from tests.replicas.load import Plan, play

pytestmark = pytest.mark.nightly


async def test_runs_and_conversations_survive_killed_replicas_and_a_database_restart(
    tmp_path: Path,
) -> None:
    plan = Plan(replicas=2, researches=12, conversations=3, turns=3, kills=2, seed=7)
    try:
        with postgresql() as server:
            outcome = await play(plan, server, tmp_path)
    except NoServer as missing:
        pytest.skip(str(missing))
    assert outcome.kills == 2
    assert (outcome.lost, outcome.twice, outcome.wrong) == (0, [], [])
    assert sum(outcome.started.values()) == plan.researches <= outcome.yeses
