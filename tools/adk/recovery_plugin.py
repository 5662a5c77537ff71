"""An ADK plugin that resumes orphaned research jobs, starts due ones and sends notices in the background."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from google.adk.agents import InvocationContext
from google.adk.plugins import BasePlugin

from tools.research.factory import close
from tools.research.notices.delivery import deliver_remaining
from tools.research.recovery import run_background


class RecoveryPlugin(BasePlugin):
    """Does the work of `tools.research.recovery` in the background, from the first message on.

    It sends a create request only for a job whose process died before it sent the request, and for a schedule's run.
    """

    def __init__(self) -> None:
        super().__init__(name="recovery")
        self._recovering: asyncio.Task[None] | None = None
        self._turns: WeakValueDictionary[str, InvocationContext] = WeakValueDictionary()

    async def before_run_callback(self, *, invocation_context: InvocationContext) -> None:
        self._turns[invocation_context.invocation_id] = invocation_context
        if self._recovering is None or self._recovering.done():
            self._recovering = asyncio.create_task(run_background())

    async def after_run_callback(self, *, invocation_context: InvocationContext) -> None:
        self._turns.pop(invocation_context.invocation_id, None)

    async def close(self) -> None:
        if self._turns:  # `adk eval` closes its runner during another runner's turn; so does an agent used as a tool
            return
        if self._recovering:
            self._recovering.cancel()
        await deliver_remaining()
        await close()
