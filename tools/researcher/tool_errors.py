"""Turns the errors of the researcher's tools into results for the model, and limits how long a tool may run."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from google.adk.tools import ToolContext

from tools.errors import DeskError
from tools.load_control.user_queues import UserQueues
from tools.research.database_errors import DATABASE_ERRORS, describe_database_error
from tools.research.timeouts import WATCH_GRACE_S
from tools.researcher.tool_results import Result
from tools.settings import load_settings
from tools.text.secret_redaction import redact

_CALLS = UserQueues(1)
"""The calls of each invocation, one at a time."""


def refusing_tool(act: Callable[..., Awaitable[Result]]) -> Callable[..., Awaitable[Result]]:
    """Turns a tool's errors into results that the model can explain, and limits how long the tool may run.

    ADK starts the calls of a step together. They run one after the other, in their order: a run that one call drops and
    the next orders anew is then ordered.
    """

    @functools.wraps(act)
    async def tool(**arguments: Any) -> Result:
        context: ToolContext = arguments["tool_context"]
        try:
            async with _CALLS.of(context.invocation_id), asyncio.timeout(_attach_seconds(context) + WATCH_GRACE_S):
                result = await act(**arguments)
        except TimeoutError:
            return {"error": "there was no answer in time; what was started goes on, and its status can be asked for"}
        except DATABASE_ERRORS as error:  # before `DeskError`, because one of these errors is a subclass of it
            return {"error": f"{describe_database_error(error)}; nothing was done"}
        except DeskError as error:
            return {"error": redact(str(error))}
        context.actions.skip_summarization = True
        return result

    return tool


def _attach_seconds(context: ToolContext) -> float:
    agent = context.get_invocation_context().agent
    return load_settings().attach_seconds or float(getattr(agent, "attach_seconds", 0.0))
