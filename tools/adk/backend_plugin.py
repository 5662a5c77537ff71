"""An ADK plugin that says on standard error which server is used, at the first message of a process."""

from __future__ import annotations

import asyncio
import sys

from google.adk.agents import InvocationContext
from google.adk.plugins import BasePlugin
from google.genai.types import Content

from tools.interactions import backend
from tools.interactions.errors import BackendError


class BackendPlugin(BasePlugin):
    """Starts the emulator if it is chosen, off the event loop, and says once which server answers.

    If no server can be used, it says why, and the turn's first request to the server fails in the conversation.
    """

    def __init__(self) -> None:
        super().__init__(name="backend")
        self._announced = False

    async def on_user_message_callback(self, *, invocation_context: InvocationContext, user_message: Content) -> None:
        if self._announced:
            return
        self._announced = True
        try:
            print(f"Research Desk on {await asyncio.to_thread(backend.current)}", file=sys.stderr)
        except BackendError as error:
            print(f"error: {error}", file=sys.stderr)
            self._announced = False
