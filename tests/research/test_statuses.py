"""The job state that follows from each status of the API, and from an unknown status."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interactions_emulator.brain.protocol import Brain
from tests.conftest import Desk
from tests.faults import cells
from tests.research.test_promises import ORDER, lines
from tools.research.job_states import State
from tools.researcher.run_texts import outcome


@pytest.fixture
def brain() -> Brain:
    """A research run that ends with the status that its brief ends with."""
    return cells.brain


@pytest.mark.parametrize(
    ("status", "state", "kept"),
    [
        ("completed", State.COMPLETED, True),
        ("failed", State.FAILED, False),
        ("cancelled", State.CANCELLED, False),
        ("incomplete", State.INCOMPLETE, True),
        ("budget_exceeded", State.INCOMPLETE, True),
        ("requires_action", State.INCOMPLETE, True),
        ("requires_continuation", State.INCOMPLETE, True),
        ("queued", State.STALLED, False),
        ("in_progress", State.STALLED, False),
        ("dreaming", State.STALLED, False),
    ],
)
async def test_each_api_status_leads_to_a_job_state_with_a_reason_and_any_report_is_kept(
    desk: Desk, status: str, state: State, kept: bool
) -> None:
    service = desk.service(silence_timeout_s=0.1, first_poll_s=100, max_poll_s=100, stall_after_s=1500)
    job, _ = await service.start(replace(ORDER, brief=f"Why are there tides? {status}"))
    await lines(service, job)
    job = await service.job(job.id)
    assert (job.state, await service.report(job.id) is not None) == (state, kept)
    assert bool(job.error) == (state is not State.COMPLETED)
    assert job.error in outcome(job)
    assert desk.creates == 1
