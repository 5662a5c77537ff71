"""An ADK plugin that resumes orphaned jobs in the background."""

from __future__ import annotations

import asyncio
import logging
from weakref import WeakValueDictionary

from google.adk.agents import InvocationContext
from google.adk.plugins import BasePlugin

from tools.research.factory import close, research

log = logging.getLogger(__name__)

INTERVAL = 20.0
"""Seconds between two reads of the ledger."""


class RecoveryPlugin(BasePlugin):
    """Resumes jobs whose process died; begins with the first message.

    It sends a create only for an order whose process died just before sending it.
    """

    def __init__(self) -> None:
        super().__init__(name="research_keeper")
        self._keeping: asyncio.Task[None] | None = None
        self._turns: WeakValueDictionary[str, InvocationContext] = WeakValueDictionary()

    async def before_run_callback(self, *, invocation_context: InvocationContext) -> None:
        self._turns[invocation_context.invocation_id] = invocation_context
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(recover_loop())

    async def after_run_callback(self, *, invocation_context: InvocationContext) -> None:
        self._turns.pop(invocation_context.invocation_id, None)

    async def close(self) -> None:
        if self._turns:  # `adk eval`, or a tool that is an agent, closes its runner while another one works
            return
        if self._keeping:
            self._keeping.cancel()
        await close()


async def recover_loop() -> None:
    """Resumes orphaned jobs at each interval, until it is cancelled."""
    while True:
        try:
            for job in await research().resume():
                log.info("%s, which nobody followed, is taken up", job.id)
        except Exception as error:  # the ledger may be readable later
            log.warning("research runs that nobody follows could not be resumed: %s", error)
        await asyncio.sleep(INTERVAL)
