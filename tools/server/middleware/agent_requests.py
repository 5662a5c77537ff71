"""Limits how many long answers are made for other agents, by MCP and A2A."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from typing import Any

from tools.load_control.user_queues import UserQueues
from tools.server.limits import MAX_CANCELS, MAX_LONG_A2A_ANSWERS, MAX_LONG_MCP_ANSWERS
from tools.server.paths import A2A_PATH, MCP_PATH

AGENT_PATHS = (MCP_PATH, A2A_PATH)
_SHORT_ANSWERS = (
    "initialize", "notifications/initialized", "notifications/cancelled", "ping", "tools/list", "tools/call",
)  # fmt: skip
"""Methods of MCP whose answers are short, so that they wait for no long answer."""
_CANCELS = ("tasks/cancel", "CancelTask")
"""Methods of A2A that read and answer a whole task, and wait for no long answer."""
_STORING_METHODS = (
    "SendMessage", "SendStreamingMessage", "CreateTaskPushNotificationConfig",
    "message/send", "message/stream", "tasks/pushNotificationConfig/set",
)  # fmt: skip
"""Methods of A2A that store something."""


class AgentRequests:
    """The requests by MCP and A2A that this replica serves."""

    def __init__(self) -> None:
        self._long_answers = {MCP_PATH: UserQueues(MAX_LONG_MCP_ANSWERS), A2A_PATH: UserQueues(MAX_LONG_A2A_ANSWERS)}
        self._cancels = UserQueues(MAX_CANCELS)

    def answer(self, user: str, path: str, method: Any) -> AbstractAsyncContextManager[None]:
        """Waits until an answer to a user may be made and sent, which happens while the block runs.

        Args:
            path: one of `AGENT_PATHS`.
            method: see `method_of`.
        """
        if method in _SHORT_ANSWERS:
            return nullcontext()
        queues = self._cancels if method in _CANCELS else self._long_answers[path]
        return queues.of(user)


def method_of(body: bytes) -> Any:
    """The method of a JSON-RPC message; "ping" if it is an answer to the server. None if it is not such a message."""
    with suppress(ValueError, RecursionError):
        message = json.loads(body.decode())
        return message.get("method", "ping") if isinstance(message, dict) else None
    return None


def is_storing(message: Any) -> bool:
    """Whether a message of A2A, as JSON, stores something."""
    return isinstance(message, dict) and message.get("method") in _STORING_METHODS
