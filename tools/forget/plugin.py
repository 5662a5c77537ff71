"""The plugin that forgets a conversation when the user says so in it."""

from __future__ import annotations

import logging
from typing import Literal

from google.adk.agents import InvocationContext
from google.adk.events import Event
from google.adk.plugins import BasePlugin
from google.adk.sessions import Session
from google.genai import types

from tools import backend
from tools.forget import words
from tools.research.client import InteractionsClient
from tools.research.wiring import research

log = logging.getLogger(__name__)

ASKED = "forget"
"""Metadata of the events that ask the user something: what was asked."""
Asked = Literal["sure", "anyway", "nothing"]

QUESTION = (
    "This deletes the whole conversation, here and at the server: what was said, its files, and its researches with"
    " their reports. A research that still runs is cancelled. It cannot be undone. To do it, say **yes, forget it**."
)
ANYWAY = (
    "Say **yes, forget it** to try again, or **forget it anyway** to delete what is here all the same: the ids of what"
    " is left at the server are kept, so that it can be tried again later."
)
LATER = "To try it again later, say **forget this conversation**."
KEPT = "Nothing was deleted."


class Forgetter(BasePlugin):
    """Asks back once, then deletes the conversation and ends the run with a receipt, the only event of the session.

    No model is asked. The question stands in the metadata of its event, so that a yes counts only as the very next
    message, in whatever process.
    """

    def __init__(self) -> None:
        super().__init__(name="forgetter")
        self._asked: dict[str, Asked] = {}
        """By invocation: what the event that ends the run asks the user."""

    async def before_run_callback(self, *, invocation_context: InvocationContext) -> types.Content | None:
        """Answers a message about forgetting, before any agent hears of it."""
        text, asked = said(invocation_context.user_content), last_asked(invocation_context.session)
        insist = asked == "anyway" and words.insists(text)
        asks: Asked = "nothing"
        if insist or (asked != "nothing" and words.agrees(text)):
            answer, asks = await _forget(invocation_context, insist)
        elif words.wants_forgetting(text):
            answer, asks = QUESTION, "sure"
        elif asked != "nothing" and words.declines(text):
            answer = KEPT
        else:
            return None
        self._asked[invocation_context.invocation_id] = asks
        return types.Content(role="model", parts=[types.Part(text=answer)])

    async def on_event_callback(self, *, invocation_context: InvocationContext, event: Event) -> None:
        """Completes, in place, the event that ends the run."""
        if asked := self._asked.pop(invocation_context.invocation_id, None):
            event.custom_metadata = {**(event.custom_metadata or {}), ASKED: asked}
            # ADK calls the author "model", and then warns of an unknown agent at the next message.
            event.author = getattr(invocation_context.agent, "name", event.author)

    async def after_run_callback(self, *, invocation_context: InvocationContext) -> None:
        self._asked.pop(invocation_context.invocation_id, None)


async def _forget(context: InvocationContext, insist: bool) -> tuple[str, Asked]:
    """What to answer, and what that asks the user."""
    from tools.forget.erase import Conversation, Stores, forget  # all that there is to delete: seldom needed

    session, sessions = context.session, context.session_service
    which = Conversation(session.app_name, session.user_id, session.id)
    try:
        client = InteractionsClient(backend.client)
        stores = Stores(sessions, context.artifact_service, research(), client, backend.server())
        receipt = await forget(stores, which, insist=insist, keep=True)
    except Exception as error:  # an exception would end `adk run`
        log.exception("%s could not be forgotten", session.id)
        return f"Forgetting did not come to its end: {error}. Say **yes, forget it** to go on with it.", "sure"
    if not receipt.done:
        return f"{receipt.to_markdown()}\n\n{ANYWAY}", "anyway"
    fresh = await sessions.get_session(app_name=which.app, user_id=which.user, session_id=which.session)
    assert fresh
    session.events.clear()  # whoever still holds the old session has nothing of it, ADK's compaction for one
    context.session = fresh  # the receipt belongs there: a database takes nothing for the old one
    return receipt.to_markdown() if receipt.complete else f"{receipt.to_markdown()}\n\n{LATER}", "nothing"


def said(content: types.Content | None) -> str:
    """A message's text; none of one that has more than text."""
    parts = (content.parts if content else None) or []
    return "\n".join(part.text or "" for part in parts) if all(part.text for part in parts) else ""


def last_asked(session: Session) -> Asked:
    """What the event before the last message of the user asks."""
    before = session.events[-2:-1]
    asked = (before[0].custom_metadata or {}).get(ASKED) if before else None
    return asked if asked in ("sure", "anyway") else "nothing"
