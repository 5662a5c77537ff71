"""What research runs cost so far, for the pages. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tools.research.job import Job
from tools.research.job_states import State
from tools.research.spending import Spending, spending_of


def with_begun(entries: Sequence[Spending], jobs: Iterable[Job], now: float) -> Sequence[Spending]:
    """Returns a user's spending, including orders that begin now, because the limits count them too."""
    begun = [
        spending_of(job, now)
        for job in jobs
        if job.state is State.INTENDED and not any(one.job == job.id and one.time >= job.updated for one in entries)
    ]
    return [*entries, *begun]


def spent_by_job(entries: Sequence[Spending]) -> Mapping[str, float]:
    """Returns the highest estimate of what each job cost so far, in USD."""
    sums = Counter[str]()
    for entry in entries:
        sums[entry.job] += entry.estimate  # type: ignore[assignment]  # typeshed's counters count whole things
    return sums
