"""What chains of interactions promise: nothing that the session knows is lost, whatever becomes of the chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from google.adk.agents import LlmAgent
from google.adk.agents.run_config import StreamingMode
from google.adk.apps import App
from google.adk.events import Event, EventActions
from google.adk.sessions import InMemorySessionService
from google.genai import types

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Ending, TimedStep, Turn
from tests.scripts import call, said, thought
from tests.talk import USER, Talk, creates, refusals, text_of, words
from tools.adk.chain_plugin import ChainPlugin, without_rewound
from tools.adk.error_plugin import ErrorPlugin
from tools.adk.visible_events import MAX_ANSWER_CHARS

LONG = "A long report. " * 1_000


def brain(turn: Turn) -> Iterator[TimedStep | Ending]:
    """A root that hands over what begins with "ask", and tells on RECALL what its chain knows."""
    asked = next(text_of(s) for s in reversed(turn.steps) if s["type"] == "user_input")
    names = {tool.get("name") for tool in turn.tools}
    yield TimedStep(0, thought("Hm."))
    if asked.startswith("ask") and "transfer_to_agent" in names:
        yield TimedStep(0, call("transfer_to_agent", f"fc_{len(turn.steps)}", agent_name="helper"))
    elif "RECALL" in asked:
        yield TimedStep(0, said(json.dumps([s for s in turn.steps if s["type"] != "thought"])))
    elif "report" in asked:
        yield TimedStep(0, said(LONG))
    elif "fail" in asked:
        yield TimedStep(0, said("Half an ans"))
        yield Ending("failed", ({"code": "internal", "message": "the model fell over"},))
    elif "short" in asked:
        yield TimedStep(0, said("Half an answer"))
        yield Ending("incomplete")
    else:
        yield TimedStep(0, said(f"ANSWER {len(turn.steps)}"))


@pytest.fixture
def api(use: Any) -> Iterator[Emulator]:
    with Emulator(brain=brain) as server:
        use(server)
        yield server


def app(**values: Any) -> App:
    """A root with one specialist."""
    model = "interactions:gemini-3.8-flash"
    stay = {"disallow_transfer_to_parent": True, "disallow_transfer_to_peers": True}
    helper = LlmAgent(name="helper", description="Helps.", model=model, instruction="Help.", **stay)
    values = {"instruction": "Talk.", **values}
    root = LlmAgent(name="root", model=model, sub_agents=[helper], **values)
    return App(name="chains", root_agent=root, plugins=[ChainPlugin(), ErrorPlugin()])


def linked(api: Emulator) -> list[bool]:
    """Of each create, whether it went on from another."""
    return ["previous_interaction_id" in body for body in creates(api)]


async def test_the_chain_does_not_contain_rewound_turns(api: Emulator) -> None:
    talk = Talk(app())
    await talk.say("remember one")
    undone = (await talk.say("ask for two"))[0].invocation_id
    await talk.say("remember three")
    await talk.runner.rewind_async(user_id=USER, session_id="s1", rewind_before_invocation_id=undone)
    known = await talk.ask("RECALL")
    assert "one" in known
    assert "two" not in known
    assert "three" not in known
    assert linked(api)[-1]
    assert refusals(api) == []
    assert "one" in await talk.ask("ask RECALL")
    assert refusals(api) == []


async def test_a_conversation_rewound_to_its_beginning_starts_a_new_chain(api: Emulator) -> None:
    talk = Talk(app())
    first = (await talk.say("remember one"))[0].invocation_id
    await talk.runner.rewind_async(user_id=USER, session_id="s1", rewind_before_invocation_id=first)
    assert "one" not in await talk.ask("RECALL")
    assert linked(api) == [False, False]


def test_nested_rewinds_undo_the_same_events_as_in_adk() -> None:
    from google.adk.events._rewind_events import _apply_rewinds

    def event(invocation: str, before: str | None = None) -> Event:
        actions = EventActions(rewind_before_invocation_id=before)
        return Event(author="user", invocation_id=invocation, actions=actions)

    for befores in ("b", "a b", "b a", "c b", "b c", "x"):
        events = [event("a"), event("a"), event("b"), event("c")]
        for i, before in enumerate(befores.split()):
            events += [event(f"r{i}", before), event(f"after{i}")]
        assert without_rewound(events) == _apply_rewinds(events)


@pytest.mark.parametrize("mode", [StreamingMode.NONE, StreamingMode.SSE])
async def test_a_deleted_chain_is_rebuilt_within_the_same_turn(api: Emulator, mode: StreamingMode, use: Any) -> None:
    talk = Talk(app(), mode=mode)
    await talk.say("remember one")
    await talk.say("ask for two")
    with Emulator(brain=brain) as other:
        use(other)
        events = [event async for event in talk.events("RECALL")]
        assert "one" in words(events[-1])
        assert "ANSWER" in words(events[-1])
        assert [r["status"] for r in other.log()["requests"]] == [404, 200]
        assert any(event.partial for event in events) == (mode is StreamingMode.SSE)
        await talk.say("and three")
        assert "three" in await talk.ask("RECALL")
        assert linked(other) == [True, False, True, True]


async def test_a_chain_older_than_the_server_retention_is_not_continued(
    api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = InMemorySessionService()
    talk = Talk(app(), sessions)
    await talk.say("remember one")
    for event in sessions.sessions["chains"][USER]["s1"].events:
        event.timestamp -= 2 * 86_400
    monkeypatch.setenv("DESK_RETENTION_DAYS", "1")
    assert "one" in await talk.ask("RECALL")
    assert linked(api) == [False, False]
    assert refusals(api) == []


async def test_a_private_agent_stores_nothing_at_the_server_and_knows_the_conversation(api: Emulator) -> None:
    talk = Talk(app(generate_content_config=types.GenerateContentConfig(store=False)))
    for text in ("remember one", "remember two"):
        await talk.say(text)
    assert "remember one" in await talk.ask("RECALL")
    assert [body["store"] for body in creates(api)] == [False] * 3
    assert not any(linked(api))
    assert api.interactions() == []
    await talk.say("ask for three")
    assert "ANSWER" in await talk.ask("RECALL")
    assert refusals(api) == []


async def test_a_session_older_than_the_interactions_api_continues_with_its_history(api: Emulator) -> None:
    sessions = InMemorySessionService()
    session = await sessions.create_session(app_name="chains", user_id=USER, session_id="s1")
    lookup = types.FunctionCall(id="adk-1", name="look_up", args={"word": "tide"})
    found = types.FunctionResponse(id="adk-1", name="look_up", response={"meaning": "the sea rises"})
    code = types.ExecutableCode(code="print(6 * 7)", language=types.Language.PYTHON)
    output = types.CodeExecutionResult(output="42", outcome=types.Outcome.OUTCOME_OK)
    for author, role, part in (
        ("user", "user", types.Part(text="what is a tide?")),
        ("root", "model", types.Part(function_call=lookup)),
        ("root", "user", types.Part(function_response=found)),
        ("root", "model", types.Part(text="The sea rises.")),
        ("user", "user", types.Part(text="six times seven?")),
        ("root", "model", types.Part(executable_code=code)),
        ("root", "model", types.Part(code_execution_result=output)),
    ):
        content = types.Content(role=role, parts=[part])
        await sessions.append_event(session, Event(author=author, invocation_id="old", content=content))
    talk = Talk(app(), sessions)
    known = await talk.ask("RECALL")
    for text in ("what is a tide?", "the sea rises", "The sea rises.", "six times seven?", "42"):
        assert text in known
    await talk.say("and now?")
    assert refusals(api) == []
    assert linked(api) == [False, True]


@pytest.mark.parametrize("fault", [{"end_after": 4}, {"cut_after": 4}])
async def test_a_message_is_not_lost_when_the_stream_of_its_turn_breaks(api: Emulator, fault: dict[str, Any]) -> None:
    talk = Talk(app(), mode=StreamingMode.SSE)
    await talk.say("remember one")
    api.faults({"on": "create_stream", **fault})
    assert (await talk.say("remember two"))[-1].error_code
    known = await talk.ask("RECALL")
    assert "one" in known
    assert "two" in known
    assert refusals(api) == []


async def test_a_failed_answer_is_reported_and_the_chain_continues_from_the_last_good_one(api: Emulator) -> None:
    talk = Talk(app())
    await talk.say("remember one")
    event = (await talk.say("fail, please"))[-1]
    assert event.error_code == "FAILED"
    assert "Half an ans" in words(event)
    assert "the model fell over" in words(event)
    known = await talk.ask("RECALL")
    assert "one" in known
    assert "fail, please" in known
    assert refusals(api) == []


async def test_an_incomplete_answer_is_shown_with_a_notice_and_can_be_continued(api: Emulator) -> None:
    talk = Talk(app())
    event = (await talk.say("too short"))[-1]
    assert event.error_code == "INCOMPLETE"
    assert words(event).startswith("Half an answer")
    assert "cut short" in words(event)
    assert "Half an answer" in await talk.ask("RECALL")
    assert linked(api) == [False, True]


async def test_a_dynamic_instruction_is_sent_in_every_request_beside_a_static_one(api: Emulator) -> None:
    talk = Talk(app(static_instruction="You are a lighthouse.", instruction="The user is {user:name?}."))
    session = await talk.sessions.create_session(
        app_name="chains", user_id=USER, session_id="s1", state={"user:name": "Ada"}
    )
    assert session
    for text in ("hello", "again"):
        await talk.say(text)
    for body in creates(api):
        assert "lighthouse" in body["system_instruction"]
        assert "The user is Ada." in json.dumps(body["input"])
    assert ["again" in json.dumps(body["input"]) for body in creates(api)] == [False, True]


async def test_other_agents_receive_only_the_beginning_of_a_long_report(api: Emulator) -> None:
    talk = Talk(app())
    await talk.say("ask for a report")
    known = await talk.ask("RECALL")
    assert "A long report." in known
    assert len(known) < MAX_ANSWER_CHARS + 1_000
    await talk.say("report")  # the root's own, which the helper hears of
    assert len(await talk.ask("ask RECALL")) < len(LONG) + 2 * MAX_ANSWER_CHARS + 2_000
    assert all(r["bytes"] < 2 * MAX_ANSWER_CHARS + 3_000 for r in api.log()["requests"])


async def test_thoughts_are_not_part_of_the_answer(api: Emulator) -> None:
    talk = Talk(app(), mode=StreamingMode.SSE)
    events = [event async for event in talk.events("hello")]
    assert words(events[-1]).startswith("ANSWER")
    assert any("Hm." in words(event) for event in events if event.partial)
