"""What the page says that a run has cost."""

from __future__ import annotations

from dataclasses import replace

from tests.board.conftest import BRIEF
from tools.board.spent import spent_by_job, with_begun
from tools.research.job import new_job
from tools.research.job_states import State
from tools.research.order import LOCAL_USER, OUTSIDE_CONVERSATIONS
from tools.research.settings import load_research_settings
from tools.research.spending import spending_of
from tools.settings import load_settings

NOW = 1_000_000.0


def test_a_run_counts_as_spent_once_from_its_order_on() -> None:
    settings = load_research_settings(load_settings().config)
    job = new_job(settings.order(BRIEF, user=LOCAL_USER, session=OUTSIDE_CONVERSATIONS), NOW)
    ordered = spent_by_job(with_begun([], [job], NOW))
    sent = spent_by_job(with_begun([spending_of(job, NOW + 1)], [job], NOW + 2))  # the job was read before it was sent
    assert ordered == sent == {job.id: 3.0}
    assert not with_begun([], [replace(job, state=State.AWAITING_APPROVAL)], NOW)
