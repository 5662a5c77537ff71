"""The root agent's tools for deleting a conversation: one asks, one takes the user's yes. The plugin deletes."""

from __future__ import annotations

from typing import Any

from google.adk.tools import ToolContext

from tools.adk.llm_agent import say_after
from tools.research.database_errors import DATABASE_ERRORS, describe_database_error
from tools.research.factory import research
from tools.research.open_questions import Action, NotConfirmed
from tools.researcher import confirmation

QUESTION = (
    "This deletes the whole conversation, here and at the server: what was said, its files, and its research runs with"
    " their reports. A run that is still under way is cancelled. It cannot be undone. Say **yes, forget it** or **no**."
)


async def forget_conversation(tool_context: ToolContext) -> dict[str, Any]:
    """Asks the user whether this whole conversation is to be deleted, with its files and research runs.

    Call it only if the user wants all of this conversation forgotten, not for a single report, and not for "never
    mind". The user's yes comes in the next message.
    """
    turn, ledger = confirmation.turn_of(tool_context.get_invocation_context()), research().ledger
    try:
        marks = await confirmation.record_shown(ledger, turn, [turn.question(turn.session, Action.FORGET)])
    except DATABASE_ERRORS as error:
        return {"error": f"{describe_database_error(error)}; nothing was deleted"}
    say_after(tool_context, QUESTION, marks)
    return {"asked": "the user was asked; after a yes call confirm_forgetting"}


async def confirm_forgetting(tool_context: ToolContext, anyway: bool = False) -> dict[str, Any]:
    """The user's yes to forgetting this conversation. It is refused unless the last message answers that question.

    Args:
        anyway: True if the user insists although the server refused to delete a part ("forget it anyway").
    """
    turn, ledger = confirmation.turn_of(tool_context.get_invocation_context()), research().ledger
    try:
        asked = {question.subject: question for question in await ledger.questions(turn.user, turn.session)}
        insists = turn.session in asked and asked[turn.session].action is Action.FORGET_ANYWAY
        action = Action.FORGET_ANYWAY if insists else Action.FORGET
        await confirmation.confirm(ledger, turn, turn.session, action)
    except NotConfirmed as error:
        return {"error": f"{error}. Nothing was deleted; forget_conversation asks the user"}
    except DATABASE_ERRORS as error:
        return {"error": f"{describe_database_error(error)}; nothing was deleted"}
    say_after(tool_context, "Forgetting this conversation.")
    return {"confirmed": True, "anyway": anyway and action is Action.FORGET_ANYWAY}
