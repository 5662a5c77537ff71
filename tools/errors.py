"""Errors of a model or a tool as something that a person can read and act on."""

from __future__ import annotations

import json
import logging
from typing import Any

from google.adk.agents.callback_context import CallbackContext
from google.adk.agents.invocation_context import InvocationContext
from google.adk.events import Event
from google.adk.models import LlmRequest, LlmResponse
from google.adk.plugins import BasePlugin
from google.adk.tools import BaseTool, ToolContext
from google.genai import types

from tools.research.client import status_of

log = logging.getLogger(__name__)

NEXT_STEPS = {
    400: "The request was refused as it stands; the session may hold something that the API does not take.",
    401: "Check GEMINI_API_KEY (or GOOGLE_API_KEY): the server does not know this key.",
    403: "The key or the account has no access: check GEMINI_API_KEY, or the service account on Vertex AI.",
    404: "Check the name of the model in configs/.",
    429: "The quota is used up for now; try again in a minute.",
}


class ErrorReporter(BasePlugin):
    """Turns exceptions into events with a text *and* an error code.

    ADK 2.13 shows nothing of an error event without a text in `adk run`, ends that process when a model or a tool
    raises, and hides the status of an API error behind `httpx.ResponseNotRead` (`workflow/_errors.py`).
    """

    def __init__(self) -> None:
        super().__init__(name="error_reporter")

    async def on_model_error_callback(
        self, *, callback_context: CallbackContext, llm_request: LlmRequest, error: Exception
    ) -> LlmResponse | None:
        """The answer of a turn whose model call failed."""
        log.warning("%s failed", llm_request.model, exc_info=error)
        return explained(error, llm_request.model or "the model")

    async def on_tool_error_callback(
        self, *, tool: BaseTool, tool_args: dict[str, Any], tool_context: ToolContext, error: Exception
    ) -> dict[str, Any] | None:
        """A tool's exception as its result, which the agent can explain."""
        log.error("%s failed", tool.name, exc_info=error)
        return {"error": {"code": type(error).__name__, "message": str(error)}}

    async def on_event_callback(self, *, invocation_context: InvocationContext, event: Event) -> Event | None:
        """Gives a text to error events that have none."""
        if not event.error_code or event.partial or (event.content and event.content.parts):
            return None
        text = f"{event.error_message or 'Something went wrong.'} ({event.error_code})"
        return event.model_copy(update={"content": types.Content(role="model", parts=[types.Part(text=text)])})


def explained(error: Exception, model: str) -> LlmResponse:
    """An error of the API or of the connection, with what to do about it."""
    status = status_of(error)
    if status is None and type(error).__name__ in ("APIConnectionError", "APITimeoutError"):
        what, step, code = f"could not be reached: {error}", "Check the network and try again.", "UNREACHABLE"
    elif status is None:
        what, step, code = f"failed: {type(error).__name__}: {error}", "The log has the details.", type(error).__name__
    else:
        what, code = f"answered HTTP {status}: {_message(error)}", f"HTTP_{status}"
        step = NEXT_STEPS.get(status, "Try again in a minute." if status >= 500 else "")
    return LlmResponse(error_code=code, error_message=f"{model} {what} {step}".strip())


def _message(error: Exception) -> str:
    """The server's own words."""
    body: Any = getattr(error, "body", None)
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return str(body)[:500]
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, dict) and inner.get("message"):
            return str(inner["message"])
    return str(error)[:500]
