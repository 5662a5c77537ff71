"""A conversation is forgotten after the user's yes to that question, and not by the word of a model."""

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
from tools.privacy.plugin import FORGOTTEN
from tools.research.factory import close

Call = tuple[str, dict[str, Any]]
ASK: Call = ("forget_conversation", {})
CONFIRM: Call = ("confirm_forgetting", {})
INSIST: Call = ("confirm_forgetting", {"anyway": True})


@dataclass
class Root:
    """The root's model: it makes the calls of its script, one request each, and else repeats what a tool told it."""

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
        """Everything that is said in a turn, in which the root's model makes these calls."""
        self.root.calls[:] = calls
        return "\n\n".join(words(event) for event in await self.talk.say(text))

    def of(self, session_id: str) -> Conversation:
        """Another conversation of the same user."""
        return Conversation(self.api, self.root, Talk(build_app(), self.talk.sessions, session_id=session_id))

    async def restarted(self) -> Conversation:
        """The same conversation, in a process that has just begun."""
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
async def had(root: Root, use: Any, tmp_path: Path) -> AsyncIterator[Conversation]:
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
    had: Conversation, calls: list[list[Call]]
) -> None:
    await had.say("yes, forget this conversation", *calls)
    assert await had.is_kept()


async def test_a_confirmation_without_a_question_is_refused_with_the_next_step(had: Conversation) -> None:
    told = await had.say("yes", [CONFIRM])
    assert "Nothing was deleted; forget_conversation asks the user" in told


async def test_the_question_lists_what_will_be_deleted_before_anything_is_deleted(had: Conversation) -> None:
    asked = await had.say("forget this conversation", [ASK])
    for fact in ("files", "research runs", "reports", "cannot be undone", "**yes, forget it**"):
        assert fact in asked
    assert await had.is_kept()
    assert "is forgotten" in await had.say("yes", [CONFIRM])
    assert had.api.interactions() == []


async def test_a_yes_after_another_turn_deletes_nothing(had: Conversation) -> None:
    await had.say("forget this conversation", [ASK])
    await had.say("how are you?")
    assert "Nothing was deleted" in await had.say("yes", [CONFIRM])
    assert await had.is_kept()
    await had.say("forget this conversation", [ASK])
    assert "is forgotten" in await had.say("yes", [CONFIRM])


async def test_a_yes_to_a_question_that_was_not_shown_deletes_nothing(had: Conversation) -> None:
    said = await had.say("forget this conversation", [ASK, ("transfer_to_agent", {"agent_name": "assistant"})])
    assert "cannot be undone" not in said
    assert "Nothing was deleted" in await had.say("yes", [CONFIRM])
    assert await had.is_kept()


async def test_a_message_that_contains_the_conversation_id_is_not_a_yes(had: Conversation) -> None:
    await had.say("forget this conversation", [ASK])
    await had.say("how are you?")
    await had.say("ok, and where does my trip go?", [CONFIRM])
    assert await had.is_kept()


async def test_a_yes_counts_after_a_process_restart(had: Conversation) -> None:
    await had.say("forget this conversation", [ASK])
    later = await had.restarted()
    assert "is forgotten" in await later.say("yes", [CONFIRM])
    assert had.api.interactions() == []


async def test_a_yes_in_another_conversation_deletes_neither_conversation(had: Conversation) -> None:
    await had.say("forget this conversation", [ASK])
    other = had.of("other")
    await other.say("hello")
    await other.say("yes", [CONFIRM])
    assert await had.is_kept()
    assert await other.is_kept()


async def test_a_yes_counts_once(had: Conversation) -> None:
    await had.say("forget this conversation", [ASK])
    receipt = await had.say("yes", [CONFIRM])
    assert "Nothing was deleted" in await had.say("yes", [CONFIRM])
    events = (await had.talk.session()).events
    assert [words(event) for event in events[:2]] == [receipt, "yes"]


@pytest.mark.parametrize("answer", [[CONFIRM], [INSIST]], ids=["confirm", "insist"])
async def test_insisting_works_only_after_the_server_has_refused(had: Conversation, answer: list[Call]) -> None:
    had.api.faults({"on": "delete", "status": 403, "times": 0})
    await had.say("forget this conversation", [ASK])
    assert "**Not forgotten yet.**" in await had.say("forget it anyway", answer)
    assert words((await had.talk.session()).events[0]) == "hello"
    later = await had.restarted()
    assert "**Forgotten here**, but not at the server" in await later.say("forget it anyway", [INSIST])
    (receipt,) = [event for event in (await later.talk.session()).events if event.content]
    assert (receipt.custom_metadata or {})[FORGOTTEN]


async def test_a_yes_after_a_refused_deletion_retries_without_insisting(had: Conversation) -> None:
    had.api.faults({"on": "delete", "status": 403, "times": 0})
    await had.say("forget this conversation", [ASK])
    await had.say("yes", [CONFIRM])
    assert "**Not forgotten yet.**" in await had.say("yes, forget it", [CONFIRM])
    had.api.faults()
    assert "is forgotten" in await had.say("yes, forget it", [CONFIRM])
    assert had.api.interactions() == []


async def test_a_confirmation_with_a_transfer_in_the_same_turn_deletes_everything(had: Conversation) -> None:
    await had.say("forget this conversation", [ASK])
    told = await had.say("yes", [CONFIRM, ("transfer_to_agent", {"agent_name": "assistant"})])
    assert "is forgotten" in told
    assert had.api.interactions() == []
    assert len((await had.talk.session()).events) == 1
