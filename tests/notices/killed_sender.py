"""`python -m tests.notices.killed_sender LEDGER ADDRESS SECRET MOMENT [JOBS TARGET…]`: ends jobs, and is killed.

With the moment "before", it is killed before it sends a notice; else in the middle of its notices: after one was sent
and before that is written.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from tools.research.job import new_job
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.notices.delivery import deliver_due
from tools.research.notices.outbox import Outbox
from tools.research.notices.targets import Target
from tools.research.order import Order

NOW = 1_790_000_000.0
"""Seconds since the epoch."""


def die(*_: Any) -> Any:
    """Ends this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


async def work(url: str, address: str, secret: str, moment: str, jobs: str = "1", *names: str) -> None:
    ledger, targets = Ledger(url), names or ("hook",)
    for number in range(int(jobs)):
        order = Order(f"Why are there tides? {number}", "ada", "s1", "deep-research", notify=targets)
        job, _ = await ledger.add(new_job(order, NOW))
        await ledger.change(job.id, {State.INTENDED}, NOW, state=State.COMPLETED)
    if moment == "before":
        die()
    end, ends = Outbox.end, iter(range(int(jobs) // 2))

    async def die_in_the_middle(*arguments: Any) -> None:
        if next(ends, None) is not None:
            await end(*arguments)
            return
        for _ in range(2000):  # whatever else this process sends now may arrive
            await asyncio.sleep(0)
        die()

    Outbox.end = die_in_the_middle  # type: ignore[method-assign, assignment]
    target = Target(url=address, secret=secret, private=True)
    await deliver_due(ledger, lambda: dict.fromkeys(targets, target), lambda: NOW)


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
