"""A conversation is deleted only after the user's yes to that question, and never by a model alone."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.scripts import call, said
from tests.talk import Talk, new_sessions, words
from tools.app import build_app
from tools.privacy.plugin import FORGOTTEN_KEY
from tools.research.factory import close

Call = tuple[str, dict[str, Any]]
ASK: Call = ("forget_conversation", {})
CONFIRM: Call = ("confirm_forgetting", {})
INSIST: Call = ("confirm_forgetting", {"anyway": True})


@dataclass
class Root:
    """The root's model: it makes its scripted calls, one list per request, and else repeats the last tool result."""

    calls: list[list[Call]] = field(default_factory=list)

    def __call__(self, turn: Turn) -> Iterator[TimedStep]:
        if "forget_conversation" in {tool.get("name") for tool in turn.tools} and self.calls:
            for name, arguments in self.calls.pop(0):
                yield TimedStep(0, call(name, f"fc_{uuid.uuid4().hex}", **arguments))
        else:
            last = turn.steps[-1]
            yield TimedStep(0, said(json.dumps(last["result"]) if last["type"] == "function_result" else "SMALL TALK"))


class Conversation:
    """A conversation whose root does exactly what a test says."""

    def __init__(self, api: Emulator, root: Root, talk: Talk) -> None:
        self.api, self.root, self.talk = api, root, talk

    async def say(self, text: str, *calls: list[Call]) -> str:
        """Takes a turn in which the root's model makes these calls, and returns all its text."""
        self.root.calls[:] = calls
        return "\n\n".join(words(event) for event in await self.talk.say(text))

    def of(self, session_id: str) -> Conversation:
        """Another conversation of the same user."""
        return Conversation(self.api, self.root, Talk(build_app(), self.talk.sessions, session_id=session_id))

    async def restarted(self) -> Conversation:
        """The same conversation after a restart of the process."""
        await close()
        return self.of(self.talk.session_id)

    async def is_kept(self) -> bool:
        """Whether all of it is still there: its first event, and its interactions at the server."""
        first, *_ = (await self.talk.session()).events
        kinds = {request["kind"] for request in self.api.log()["requests"]}
        return words(first) == "hello" and "delete" not in kinds


@pytest.fixture
def root() -> Root:
    return Root()


@pytest.fixture
async def conversation(root: Root, use: Any, tmp_path: Path) -> AsyncIterator[Conversation]:
    """A conversation in which something was said."""
    with Emulator(brain=root, speed=math.inf) as api:
        use(api)
        conversation = Conversation(api, root, Talk(build_app(), new_sessions("sqlite", tmp_path), session_id="trip"))
        await conversation.say("hello")
        yield conversation
        await close()


@pytest.mark.parametrize(
    "calls",
    [
        [[ASK, CONFIRM]],
        [[ASK, INSIST]],
        [[CONFIRM, ASK]],
        [[ASK], [CONFIRM]],
        [[CONFIRM]],
        [[INSIST]],
        [[CONFIRM], [CONFIRM], [INSIST]],
    ],
    ids=str,
)
async def test_a_model_cannot_forget_a_conversation_without_the_user(
    conversation: Conversation, calls: list[list[Call]]
) -> None:
    await conversation.say("yes, forget this conversation", *calls)
    assert await conversation.is_kept()


async def test_a_confirmation_without_a_question_is_refused_with_the_next_step(conversation: Conversation) -> None:
    told = await conversation.say("yes", [CONFIRM])
    assert "Nothing was deleted; forget_conversation asks the user" in told


async def test_the_question_lists_what_will_be_deleted_before_anything_is_deleted(conversation: Conversation) -> None:
    asked = await conversation.say("forget this conversation", [ASK])
    for fact in ("files", "research runs", "reports", "cannot be undone", "**yes, forget it**"):
        assert fact in asked
    assert await conversation.is_kept()
    assert "is forgotten" in await conversation.say("yes", [CONFIRM])
    assert conversation.api.interactions() == []


async def test_a_yes_after_another_turn_deletes_nothing(conversation: Conversation) -> None:
    await conversation.say("forget this conversation", [ASK])
    await conversation.say("how are you?")
    assert "Nothing was deleted" in await conversation.say("yes", [CONFIRM])
    assert await conversation.is_kept()
    await conversation.say("forget this conversation", [ASK])
    assert "is forgotten" in await conversation.say("yes", [CONFIRM])


async def test_a_yes_to_a_question_that_was_not_shown_deletes_nothing(conversation: Conversation) -> None:
    said = await conversation.say("forget this conversation", [ASK, ("transfer_to_agent", {"agent_name": "assistant"})])
    assert "cannot be undone" not in said
    assert "Nothing was deleted" in await conversation.say("yes", [CONFIRM])
    assert await conversation.is_kept()


async def test_a_message_that_contains_the_conversation_id_is_not_a_yes(conversation: Conversation) -> None:
    await conversation.say("forget this conversation", [ASK])
    await conversation.say("how are you?")
    await conversation.say("ok, and where does my trip go?", [CONFIRM])
    assert await conversation.is_kept()


async def test_a_yes_counts_after_a_process_restart(conversation: Conversation) -> None:
    await conversation.say("forget this conversation", [ASK])
    later = await conversation.restarted()
    assert "is forgotten" in await later.say("yes", [CONFIRM])
    assert conversation.api.interactions() == []


async def test_a_yes_in_another_conversation_deletes_neither_conversation(conversation: Conversation) -> None:
    await conversation.say("forget this conversation", [ASK])
    other = conversation.of("other")
    await other.say("hello")
    await other.say("yes", [CONFIRM])
    assert await conversation.is_kept()
    assert await other.is_kept()


async def test_a_yes_counts_once(conversation: Conversation) -> None:
    await conversation.say("forget this conversation", [ASK])
    receipt = await conversation.say("yes", [CONFIRM])
    assert "Nothing was deleted" in await conversation.say("yes", [CONFIRM])
    events = (await conversation.talk.session()).events
    assert [words(event) for event in events[:2]] == [receipt, "yes"]


@pytest.mark.parametrize("answer", [[CONFIRM], [INSIST]], ids=["confirm", "insist"])
async def test_insisting_works_only_after_the_server_has_refused(
    conversation: Conversation, answer: list[Call]
) -> None:
    conversation.api.faults({"on": "delete", "status": 403, "times": 0})
    await conversation.say("forget this conversation", [ASK])
    assert "**Not forgotten yet.**" in await conversation.say("forget it anyway", answer)
    assert words((await conversation.talk.session()).events[0]) == "hello"
    later = await conversation.restarted()
    assert "**Forgotten here**, but not at the server" in await later.say("forget it anyway", [INSIST])
    (receipt,) = [event for event in (await later.talk.session()).events if event.content]
    assert (receipt.custom_metadata or {})[FORGOTTEN_KEY]


async def test_a_yes_after_a_refused_deletion_retries_without_insisting(conversation: Conversation) -> None:
    conversation.api.faults({"on": "delete", "status": 403, "times": 0})
    await conversation.say("forget this conversation", [ASK])
    await conversation.say("yes", [CONFIRM])
    assert "**Not forgotten yet.**" in await conversation.say("yes, forget it", [CONFIRM])
    conversation.api.faults()
    assert "is forgotten" in await conversation.say("yes, forget it", [CONFIRM])
    assert conversation.api.interactions() == []


async def test_a_confirmation_with_a_transfer_in_the_same_turn_deletes_everything(conversation: Conversation) -> None:
    await conversation.say("forget this conversation", [ASK])
    told = await conversation.say("yes", [CONFIRM, ("transfer_to_agent", {"agent_name": "assistant"})])
    assert "is forgotten" in told
    assert conversation.api.interactions() == []
    assert len((await conversation.talk.session()).events) == 1
