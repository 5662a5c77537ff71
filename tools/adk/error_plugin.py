"""Converts errors of a model or a tool to messages that a person can read and act on."""

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

from tools.interactions import backend
from tools.interactions.errors import BadAnswer, BadStatus, WireError, retry_after, status_of
from tools.interactions.model_catalog import known_names
from tools.text.did_you_mean import did_you_mean
from tools.text.secret_redaction import redact
from tools.web_addresses.credentials import without_credentials

log = logging.getLogger(__name__)


ABORTED = "INVOCATION_ABORTED"
"""Error code of the event that ADK 2.13 adds if the client disconnects during a turn (`events/_abort_events.py:41`)."""
CLIENT_LEFT = (
    "The page was closed before this turn ended. A research run that was started continues: ask for its status."
)


class ErrorPlugin(BasePlugin):
    """Turns exceptions into events with a text *and* an error code.

    In ADK 2.13, `adk run` does not show an error event that has no text, and exits when a model or a tool raises an
    exception. ADK also hides the status of an API error behind `httpx.ResponseNotRead` (`workflow/_errors.py`).
    """

    def __init__(self) -> None:
        super().__init__(name="errors")

    async def on_model_error_callback(
        self, *, callback_context: CallbackContext, llm_request: LlmRequest, error: Exception
    ) -> LlmResponse | None:
        """Returns an error response for a failed model call."""
        log.warning("%s failed", llm_request.model, exc_info=error)
        return llm_error_response(error, llm_request.model or "the model")

    async def on_tool_error_callback(
        self, *, tool: BaseTool, tool_args: dict[str, Any], tool_context: ToolContext, error: Exception
    ) -> dict[str, Any] | None:
        """Returns a tool's exception as its result, so that the agent can explain it."""
        log.error("%s failed", tool.name, exc_info=error)
        return {"error": {"code": type(error).__name__, "message": redact(str(error))}}

    async def on_event_callback(self, *, invocation_context: InvocationContext, event: Event) -> Event | None:
        """Adds a text to an error event that has none. Removes the error if the client has merely disconnected."""
        if not event.error_code or event.partial or (event.content and event.content.parts):
            return None
        if event.error_code == ABORTED:
            text, values = CLIENT_LEFT, {"error_code": None, "error_message": None}
        else:
            text, values = f"{event.error_message or 'Something went wrong.'} ({event.error_code})", {}
        content = types.Content(role="model", parts=[types.Part(text=text)])
        return event.model_copy(update={**values, "content": content})


def llm_error_response(error: Exception, model: str) -> LlmResponse:
    """Builds the response for an error of the API or of the connection, with the next step for the user."""
    status = status_of(error)
    if status is not None:
        what, step, code = (
            f"answered HTTP {status}: {_message(error)}",
            next_step(error, status, model),
            f"HTTP_{status}",
        )
    elif isinstance(error, BadAnswer):
        what, step, code = (
            f"answered {error}",
            f"Check {_address()}: it has no Interactions API.",
            "BAD_ANSWER",
        )
    elif isinstance(error, WireError) or type(error).__name__ in ("APIConnectionError", "APITimeoutError"):
        what, step, code = f"could not be reached: {error}", f"Check the network and {_address()}.", "UNREACHABLE"
    else:
        what, step, code = f"failed: {type(error).__name__}: {error}", "The log has the details.", type(error).__name__
    return LlmResponse(error_code=code, error_message=redact(f"{model} {what.rstrip('.')}. {step}".strip()))


def next_step(error: Exception, status: int, model: str) -> str:
    """Says what the user can do after an HTTP error of the API; empty if there is no advice."""
    wait = retry_after(error)
    when = f"in {wait:.0f} s" if wait and wait >= 1 else "in a minute"
    match status:
        case _ if status < 400:
            return f"Check {_address()}: it has to be the one that the redirect leads to."
        case 400:
            return "The server refused the request; the session may contain something that the API does not accept."
        case 401:
            return f"Check {backend.credentials()}: the server does not accept it."
        case 403:
            return f"Check {backend.credentials()}: it has no access to this."
        case 404:
            known = known_names("model")
            near = "" if model in known else did_you_mean(model, known)
            return f"Check the name of the model in configs/: `{model}`{near or '.'}"
        case 429:
            return f"The quota is used up for now; try again {when}."
        case _:
            return f"Try again {when}." if status >= 500 else ""


def _address() -> str:
    chosen = backend.current()
    if not chosen.url:
        return "whether a proxy answers in the server's place"
    return f"the address {without_credentials(chosen.url)} ({chosen.variable})"


def _message(error: Exception) -> str:
    """The server's own error message."""
    if isinstance(error, BadStatus):
        return error.message or "no reason was given"
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
