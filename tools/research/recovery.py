"""The plugin that sees to it that no research waits for somebody to ask."""

from __future__ import annotations

import asyncio
import logging
from weakref import WeakValueDictionary

from google.adk.agents import InvocationContext
from google.adk.plugins import BasePlugin

from tools.research.factory import close, research

log = logging.getLogger(__name__)

INTERVAL = 20.0
"""Seconds between two looks at the ledger."""


class RecoveryPlugin(BasePlugin):
    """From the first message on, this process takes up every research whose own process died.

    Nothing is started here but what was ordered just before its process died, and never sent.
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
        if self._turns:  # a runner is closed (by `adk eval`, or by a tool that is an agent) while another one works
            return
        if self._keeping:
            self._keeping.cancel()
        await close()


async def recover_loop() -> None:
    """Takes up researches that nobody follows, for as long as it is not cancelled."""
    while True:
        try:
            for job in await research().resume():
                log.info("%s, which nobody followed, is taken up", job.id)
        except Exception as error:  # a ledger that cannot be read now may be later
            log.warning("researches that nobody follows could not be taken up: %s", error)
        await asyncio.sleep(INTERVAL)
