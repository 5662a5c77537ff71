"""An ADK plugin that resumes orphaned research jobs, starts due ones and sends notices in the background."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from google.adk.agents import InvocationContext
from google.adk.plugins import BasePlugin

from tools.research.background import run_background
from tools.research.factory import close
from tools.research.notices.delivery import deliver_remaining


class BackgroundPlugin(BasePlugin):
    """Does the work of `tools.research.background`, from the first message on.

    It sends a create request only for a job whose process died before it sent the request, and for a schedule's run.
    """

    def __init__(self) -> None:
        super().__init__(name="background")
        self._work: asyncio.Task[None] | None = None
        self._turns: WeakValueDictionary[str, InvocationContext] = WeakValueDictionary()

    async def before_run_callback(self, *, invocation_context: InvocationContext) -> None:
        self._turns[invocation_context.invocation_id] = invocation_context
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(run_background())

    async def after_run_callback(self, *, invocation_context: InvocationContext) -> None:
        self._turns.pop(invocation_context.invocation_id, None)

    async def close(self) -> None:
        if self._turns:  # `adk eval` closes its runner during another runner's turn; so does an agent used as a tool
            return
        if self._work:
            self._work.cancel()
        await deliver_remaining()
        await close()
