"""A process that orders a research, or goes on with it, and says what it sees; for tests to look at and to kill.

Its argument is the address of a collector, or an empty string for none.
"""

from __future__ import annotations

import asyncio
import sys

from tools.interactions import backend
from tools.research.factory import close, research
from tools.research.order import Order
from tools.telemetry import setup_logging, setup_telemetry

BRIEF = "A confidential brief on whales"


async def main() -> None:
    """Follows the research of one order to its end."""
    service = research()
    order = Order(
        BRIEF, "ada@example.org", "a secret session", "deep-research-preview-04-2026", server=backend.server_name()
    )
    job, _ = await service.start(order)
    async for line in service.watch(job.id):
        print(line, flush=True)
    job = await service.job(job.id)
    print(f"{job.state} trace={job.trace!r} sdk={'opentelemetry.sdk' in sys.modules}", flush=True)
    await close()


if __name__ == "__main__":
    setup_logging(json=True, contents=False)
    setup_telemetry(sys.argv[1] or None, False)
    asyncio.run(main())
