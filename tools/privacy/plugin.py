"""Deletes a conversation after the user's yes, and shows a receipt."""

from __future__ import annotations

import logging
from typing import Any

from google.adk.agents import InvocationContext
from google.adk.events import Event
from google.adk.plugins import BasePlugin
from google.adk.tools import BaseTool, ToolContext
from google.genai import types

from tools.interactions import backend
from tools.research.api_client import InteractionsClient
from tools.research.factory import research
from tools.research.open_questions import Action
from tools.researcher import confirmation

log = logging.getLogger(__name__)

CONFIRM_TOOL = "confirm_forgetting"
"""Name of the tool (in `tools.privacy.tools`) whose result says that the user has confirmed."""
FORGOTTEN_KEY = "forgotten"
"""Metadata key of the event that says what was deleted."""
RETRY_OR_FORCE = (
    "Say **yes, forget it** to try again, or **forget it anyway** to delete what is here all the same: the ids of what"
    " is left at the server are kept, so that it can be tried again later."
)
RETRY_LATER = "To try it again later, say **forget this conversation**."


class ErasurePlugin(BasePlugin):
    """Deletes a conversation when its agent's last event arrives, and turns that event into a receipt.

    The receipt is then the only event of the session. A tool cannot do this: ADK would write the tool's result, and the
    agent's text, into a deleted session.
    """

    def __init__(self) -> None:
        super().__init__(name="privacy")
        self._confirmed: dict[str, bool] = {}
        """Maps the id of an invocation that deletes its conversation to whether the user insists."""

    async def before_tool_callback(
        self, *, tool: BaseTool, tool_args: dict[str, Any], tool_context: ToolContext
    ) -> dict[str, Any] | None:
        """Refuses tools that are called together with `confirm_forgetting`, because that tool ends the conversation."""
        if tool.name == CONFIRM_TOOL or not _beside_a_yes(tool_context):
            return None
        return {"error": f"{CONFIRM_TOOL} has to be called alone: {tool.name} was not done"}

    async def after_tool_callback(
        self, *, tool: BaseTool, tool_args: dict[str, Any], tool_context: ToolContext, result: dict[str, Any]
    ) -> None:
        """Remembers the user's yes."""
        if tool.name == CONFIRM_TOOL and result.get("confirmed"):
            self._confirmed[tool_context.invocation_id] = bool(result.get("anyway"))

    async def on_event_callback(self, *, invocation_context: InvocationContext, event: Event) -> None:
        """Deletes the conversation, and turns the agent's last event into the receipt, in place."""
        force = self._confirmed.get(invocation_context.invocation_id)
        if force is None or event.partial or event.get_function_calls() or event.get_function_responses():
            return
        del self._confirmed[invocation_context.invocation_id]
        text, metadata = await _forget(invocation_context, force)
        event.content = types.Content(role="model", parts=[types.Part(text=text)])
        event.custom_metadata = {**(event.custom_metadata or {}), **metadata}

    async def after_run_callback(self, *, invocation_context: InvocationContext) -> None:
        self._confirmed.pop(invocation_context.invocation_id, None)


def _beside_a_yes(context: ToolContext) -> bool:
    """Whether the model called `confirm_forgetting` in the same step as this tool."""
    for event in reversed(context.session.events):
        calls = event.get_function_calls()
        if any(call.id == context.function_call_id for call in calls):
            return any(call.name == CONFIRM_TOOL for call in calls)
    return False


async def _forget(context: InvocationContext, force: bool) -> tuple[str, dict[str, Any]]:
    """Deletes the conversation; returns the text to show and its metadata."""
    from tools.privacy.erasure import Services, SessionKey, forget  # imported late: rarely needed

    session, sessions, service = context.session, context.session_service, research()
    key = SessionKey(session.app_name, session.user_id, session.id)

    async def asking(action: Action) -> dict[str, Any]:
        turn = confirmation.turn_of(context)
        return await confirmation.record_shown(service.ledger, turn, [turn.question(session.id, action)])

    try:
        client = InteractionsClient(backend.transport)
        services = Services(sessions, context.artifact_service, service, client, backend.server_name())
        receipt = await forget(services, key, force=force, keep_session=True)
    except Exception as error:  # an exception would end `adk run`
        log.exception("%s could not be forgotten", session.id)
        text = f"Not everything was forgotten yet: {error}. Say **yes, forget it** to continue."
        return text, await asking(Action.FORGET)
    if not receipt.done:
        return f"{receipt.to_markdown()}\n\n{RETRY_OR_FORCE}", await asking(Action.FORGET_ANYWAY)
    fresh = await sessions.get_session(app_name=key.app, user_id=key.user, session_id=key.session)
    assert fresh
    session.events.clear()  # code that still holds the old session, such as ADK's compaction, must not see it
    context.session = fresh  # takes the receipt: a database refuses events for the old session
    text = receipt.to_markdown() if receipt.complete else f"{receipt.to_markdown()}\n\n{RETRY_LATER}"
    return text, {FORGOTTEN_KEY: True}
