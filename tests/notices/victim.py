"""`python -m tests.notices.victim LEDGER ADDRESS SECRET MOMENT`: ends a job, and is killed before or after its notice.

With any moment but "before", it is killed after the notice was sent and before that is written.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from tools.research.job import Order, State, new_job
from tools.research.ledger import Ledger
from tools.research.notices.delivery import deliver_due
from tools.research.notices.outbox import Outbox
from tools.research.notices.targets import Target

NOW = 1_790_000_000.0
"""Seconds since the epoch."""


def die(*_: Any) -> Any:
    """Ends this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


async def work(url: str, address: str, secret: str, moment: str) -> None:
    ledger = Ledger(url)
    job, _ = await ledger.add(
        new_job(Order("Why are there tides?", "ada", "s1", "deep-research", notify=("hook",)), NOW)
    )
    await ledger.change(job.id, {State.INTENDED}, NOW, state=State.COMPLETED)
    if moment == "before":
        die()
    Outbox.end = die  # type: ignore[method-assign]
    target = Target(url=address, secret=secret, private=True)
    await deliver_due(ledger, lambda: {"hook": target}, lambda: NOW)


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
