"""What one user may start: jobs at once, per day, and dollars per day by estimate."""

from __future__ import annotations

from tools.research.config import Limits
from tools.research.job import DAY, WORKABLE, Job, State
from tools.research.ledger import Ledger

COUNTED = set(State) - {State.FAILED, State.CANCELLED}
"""Jobs that count as spent. A failed or cancelled run may have cost something, but nobody can say what."""


class LimitReached(Exception):
    """The user may not start another research now. The text says which limit, and what to do."""


async def make_room(ledger: Ledger, job: Job, limits: Limits, now: float) -> None:
    """Takes a new job back if there is no room for it. It is counted too, so that no other process overlooks it.

    Raises:
        LimitReached: it was taken back.
    """
    user = job.order.user
    running, _ = await ledger.count(user, 0, WORKABLE)
    today, spent = await ledger.count(user, now - DAY, COUNTED)
    running -= job.state in WORKABLE
    if running >= limits.at_once:
        reason = f"{running} researches run at once already (limit {limits.at_once}): wait or cancel one"
    elif today > limits.per_day:
        reason = f"{today - 1} researches were ordered in the last 24 hours (limit {limits.per_day})"
    elif spent > limits.usd_per_day:
        reason = (
            f"up to ${spent - job.cost:.0f} were spent in the last 24 hours and this may cost ${job.cost:.0f}"
            f" (limit ${limits.usd_per_day:.0f})"
        )
    else:
        return
    if await ledger.change(job.id, {job.state}, now, state=State.FAILED):  # or somebody has joined it already
        await ledger.delete(job.id)
        raise LimitReached(reason)
