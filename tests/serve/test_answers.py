"""Which turns count as answered when their message is sent again under the same key."""

from __future__ import annotations

import pytest
from google.adk.agents import LlmAgent
from google.adk.events import Event, EventActions
from google.adk.runners import InMemoryRunner
from google.genai import types

from tools.adk.chain_plugin import without_rewound
from tools.server.middleware.idempotency import MESSAGE_KEY, IdempotencyStore


def event(author: str, part: types.Part, **values: object) -> Event:
    content = types.Content(role="user" if author == "user" else "model", parts=[part])
    metadata = {MESSAGE_KEY: "m1"}
    return Event(invocation_id="e-1", author=author, content=content, custom_metadata=metadata, **values)


async def may_have(*_: str) -> bool:
    return True


MESSAGE = event("user", types.Part(text="yes"))
CALL = event("researcher", types.Part.from_function_call(name="approve", args={}))
RESULT = event(
    "researcher",
    types.Part.from_function_response(name="approve", response={"state": "running"}),
    actions=EventActions(skip_summarization=True),
)
WORDS = event("researcher", types.Part(text="It is running."))
FAILED = event("researcher", types.Part(text="It failed."), error_code="LEDGER")


@pytest.mark.parametrize(
    ("events", "answered"),
    [
        ([MESSAGE], False),
        ([MESSAGE, CALL], False),
        ([MESSAGE, CALL, RESULT], False),
        ([MESSAGE, CALL, RESULT, WORDS], True),
        ([MESSAGE, FAILED], False),
    ],
    ids=["message", "call", "result of a tool", "words", "error"],
)
async def test_a_complete_turn_is_replayed_and_an_incomplete_turn_is_undone(
    events: list[Event], answered: bool
) -> None:
    async with InMemoryRunner(LlmAgent(name="researcher"), app_name="desk") as runner:
        service = runner.session_service
        session = await service.create_session(app_name="desk", user_id="ada", session_id="s1")
        for each in events:
            await service.append_event(session, each.model_copy(deep=True))
        given = await IdempotencyStore(runner, may_have).replay("ada", "s1", "m1")
        stored = await service.get_session(app_name="desk", user_id="ada", session_id="s1")
    assert stored
    if answered:
        assert given
        assert given[-1]["content"]["parts"] == [{"text": "It is running."}]
    else:
        assert given is None
        assert without_rewound(stored.events) == []


async def test_a_repeated_message_takes_back_no_later_turn() -> None:
    later = [event.model_copy(update={"invocation_id": "later", "custom_metadata": None}) for event in (MESSAGE, WORDS)]
    async with InMemoryRunner(LlmAgent(name="researcher"), app_name="desk") as runner:
        service = runner.session_service
        session = await service.create_session(app_name="desk", user_id="ada", session_id="s1")
        for each in (MESSAGE, FAILED, *later):
            await service.append_event(session, each.model_copy(deep=True))
        assert await IdempotencyStore(runner, may_have).replay("ada", "s1", "m1") is None
        stored = await service.get_session(app_name="desk", user_id="ada", session_id="s1")
    assert stored
    assert len(without_rewound(stored.events)) == 4
