"""What a conversation over all specialists promises: balanced chains, one answer, nothing repeated or forgotten.

The emulator is as strict as the strictest reading of the wire: an unbalanced chain is a 400.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.adk.agents import BaseAgent, LlmAgent
from google.adk.agents.run_config import StreamingMode
from google.adk.apps import App
from google.adk.sessions import InMemorySessionService
from google.adk.tools import FunctionTool

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.conftest import KINDS_AND_MODES
from tests.scripts import call, cited, forgetting, managing, picture, research_brain, said, search
from tests.talk import Talk, new_sessions, refusals, text_of, words
from tools.adk.llm_agent import Agent
from tools.app import build_app

ROUTES = {
    "research": "researcher",
    "weather": "assistant",
    "tomorrow": "assistant",
    "search": "assistant",
    "look twice": "assistant",
    "moderate": "moderator",
    "draw": "illustrator",
}
VERDICT = {"is_safe": False, "category": "spam", "confidence": 0.9, "reason": "It sells."}


def brain(turn: Turn) -> Iterator[TimedStep]:
    """A root that routes by keyword and knows what it was told; specialists that answer."""
    if turn.is_agent:
        yield from research_brain(turn)
        return
    fresh = turn.steps[-turn.fresh :]
    asked = next((text_of(s) for s in reversed(fresh) if s["type"] == "user_input" and text_of(s)), "")
    tools = {tool.get("name") for tool in turn.tools}
    number = f"fc_{len(turn.steps)}"
    if turn.response_schema:
        yield TimedStep(0, said(json.dumps(VERDICT)))
    elif fresh[-1]["type"] == "function_result" and "get_weather" in tools:
        yield TimedStep(0, said(f"WEATHER {fresh[-1]['result']['place']['name']}"))
    elif "start_research" in tools:
        yield from managing(turn)
    elif "forget_conversation" in tools and (step := forgetting(turn)):
        yield TimedStep(0, step)
    elif "transfer_to_agent" in tools:
        route = next((agent for word, agent in ROUTES.items() if word in asked), None)
        if route:
            yield TimedStep(0, call("transfer_to_agent", number, agent_name=route))
        elif "RECALL" in asked:
            told = [json.dumps(s["result"]) for s in turn.steps if s["type"] == "function_result"]
            yield TimedStep(0, said(f"KNOWN {' '.join(told)}"))
        else:
            yield TimedStep(0, said("SMALL TALK"))
    elif "image" in turn.modalities:
        yield TimedStep(0, {"type": "model_output", "content": [{"type": "text", "text": "A BOAT"}, picture()]})
    elif "look twice" in asked:
        yield TimedStep(0, said("Größe! I will look it up."))
        yield TimedStep(0, search("bees"))
        yield TimedStep(0, {"type": "model_output", "content": [cited("Bees fly. Wasps do too.", "Bees fly.")]})
    elif "search" in asked:
        yield TimedStep(0, {"type": "model_output", "content": [cited("Found it. Über alles.", "Found it.")]})
    elif "get_weather" not in tools:
        yield TimedStep(0, said("ANSWER"))
    else:
        places = [text_of(s).split()[-1] for s in turn.steps if s["type"] == "user_input" and "weather" in text_of(s)]
        yield TimedStep(0, call("get_weather", number, place=places[-1], days=2))


TURNS = (
    ("hello", "desk", "SMALL TALK"),
    ("weather in Lisbon", "assistant", "WEATHER Lisbon"),
    ("and tomorrow", "assistant", "WEATHER Lisbon"),
    ("please search for it", "assistant", "Found it."),
    ("moderate this: buy now", "moderator", "not safe, spam"),
    ("RECALL", "desk", "WEATHER Lisbon"),
    ("research tides", "researcher", "# Tides"),
    ("draw a boat", "illustrator", "A BOAT"),
    ("weather in Oslo", "assistant", "WEATHER Oslo"),
    ("and tomorrow", "assistant", "WEATHER Oslo"),
    ("moderate this: again", "moderator", "not safe, spam"),
    ("research the moon", "researcher", "# Tides"),
    ("thanks", "desk", "SMALL TALK"),
    ("weather in Rome", "assistant", "WEATHER Rome"),
    ("RECALL", "desk", "WEATHER Rome"),
)
CALLS = {"desk": 1, "assistant": 3, "moderator": 2, "illustrator": 2, "researcher": 3}
"""Model calls and research runs of a routed turn: the root's, and what the specialist needs."""


@pytest.fixture
def api(use: Any) -> Iterator[Emulator]:
    with Emulator(brain=brain) as server:
        use(server)
        yield server


@pytest.mark.parametrize(("kind", "mode"), KINDS_AND_MODES)
async def test_each_turn_is_answered_once_by_the_right_agent_on_a_balanced_chain(
    api: Emulator, kind: str, mode: StreamingMode, tmp_path: Path
) -> None:
    talk = Talk(build_app(), new_sessions(kind, tmp_path), mode)
    for text, author, answer in TURNS:
        before = api.log()["creates"]
        events = await talk.say(text)
        assert events[-1].author == author
        assert events[-1].is_final_response()
        assert answer in words(events[-1])
        assert sum(answer in words(event) for event in events) == 1
        assert api.log()["creates"] - before == CALLS[author] - ("please search" in text)
    assert refusals(api) == []


async def test_a_turn_copies_no_agent_and_a_turn_of_plain_adk_copies_each_twice(
    api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied, copy = list[str](), BaseAgent.clone

    def clone(agent: BaseAgent, update: Any = None) -> BaseAgent:
        copied.append(agent.name)
        return copy(agent, update)

    monkeypatch.setattr(BaseAgent, "clone", clone)
    plain = LlmAgent(name="plain", model="interactions:gemini-3.8-flash", sub_agents=[LlmAgent(name="other")])
    assert await Talk(App(name="plain", root_agent=plain)).ask("hello")
    assert Counter(copied) == {"plain": 2, "other": 2}
    copied.clear()
    talk = Talk(build_app())
    for text in ("hello", "search", "draw a boat"):
        assert await talk.ask(text)
    assert copied == []


async def test_a_copy_that_adk_would_make_equals_the_agent(api: Emulator) -> None:
    root = build_app().root_agent
    assert isinstance(root, Agent)
    assert await Talk(App(name="desk", root_agent=root)).ask("hello")
    for agent in (root, *root.sub_agents):
        copy = BaseAgent.clone(agent, {"rerun_on_resume": True})
        assert values(copy) | {"rerun_on_resume": agent.rerun_on_resume} == values(agent)
    for update in (None, {}, {"description": "another"}, {"rerun_on_resume": False}):
        assert root.clone(update) is not root


def values(agent: BaseAgent) -> dict[str, Any]:
    """The values of an agent's fields, without those that are its place in the tree."""
    return {name: value for name, value in agent if name not in ("sub_agents", "parent_agent")}


async def test_functions_are_described_once_as_adk_describes_them(api: Emulator) -> None:
    root = build_app().root_agent
    assert isinstance(root, Agent)
    first, second = [await root.canonical_tools() for _ in range(2)]
    assert all(a is b for a, b in zip(first, second, strict=True))
    functions = [tool.func for tool in first if isinstance(tool, FunctionTool)]
    assert len(functions) == 2
    plain = LlmAgent(name="plain", model=root.model, tools=[*functions])
    assert [t._get_declaration() for t in first] == [t._get_declaration() for t in await plain.canonical_tools()]


async def test_the_root_knows_what_every_specialist_said(api: Emulator) -> None:
    talk = Talk(build_app(), InMemorySessionService(), StreamingMode.NONE)
    for text in ("weather in Lisbon", "moderate this: buy", "please search", "research tides"):
        await talk.say(text)
    known = words((await talk.say("RECALL"))[-1])
    for answer in (
        "WEATHER Lisbon",
        "not safe, spam",
        "Found it.",
        "The moon moves the sea",
        "shown_to_user",
    ):
        assert answer in known


async def test_a_conversation_continues_when_the_server_has_deleted_its_chain(api: Emulator, use: Any) -> None:
    talk = Talk(build_app(), InMemorySessionService(), StreamingMode.NONE)
    await talk.say("weather in Lisbon")
    with Emulator(brain=brain) as other:
        use(other)
        assert "WEATHER Lisbon" in words((await talk.say("and tomorrow"))[-1])
        assert [r["status"] for r in refusals(other)] == [404, 404]
        assert "WEATHER Lisbon" in words((await talk.say("RECALL"))[-1])
        assert len(refusals(other)) == 2


async def test_an_abandoned_turn_does_not_break_the_next_turns(api: Emulator) -> None:
    talk = Talk(build_app(), InMemorySessionService(), StreamingMode.NONE)
    left = talk.events("weather in Lisbon")
    async for event in left:
        if event.get_function_calls():
            break
    await left.aclose()  # type: ignore[attr-defined]
    assert "SMALL TALK" in words((await talk.say("hello"))[-1])
    assert "WEATHER Oslo" in words((await talk.say("weather in Oslo"))[-1])
    assert refusals(api) == []


async def test_a_search_answer_cites_its_sources_with_and_without_streaming(api: Emulator) -> None:
    for mode in (StreamingMode.NONE, StreamingMode.SSE):
        talk = Talk(build_app(), InMemorySessionService(), mode)
        text = words((await talk.say("please search for it"))[-1])
        assert r'Found it.[\[1\]](https://example.org/moon "The moon") Über alles' in text
        assert "**Sources**\n\n1. [The moon](https://example.org/moon)" in text
        assert "<div>" not in text


async def test_a_citation_is_placed_in_the_step_to_which_it_belongs(api: Emulator) -> None:
    text = words((await Talk(build_app(), InMemorySessionService(), StreamingMode.NONE).say("look twice"))[-1])
    assert text.startswith("Größe! I will look it up.\n\nBees fly.[\\[1\\]](https://example.org/moon")


ERRORS: list[tuple[dict[str, Any], str, list[str], int]] = [
    # fault, code, hints, requests
    ({"status": 429, "retry_after_ms": 1}, "HTTP_429", ["request gets status 429", "try again in a minute"], 4),
    ({"status": 429, "retry_after_ms": 90_000}, "HTTP_429", ["try again in 90 s"], 1),
    ({"status": 401}, "HTTP_401", ["Check GOOGLE_API_KEY"], 1),
    ({"status": 403}, "HTTP_403", ["Check GOOGLE_API_KEY"], 1),
    ({"status": 404}, "HTTP_404", ["request gets status 404", "`gemini-3.8-flash`"], 1),
    ({"status": 503, "retry_after_ms": 1}, "HTTP_503", ["Try again"], 4),
    ({"drop": True}, "UNREACHABLE", ["Check the network"], 1),
]


@pytest.mark.parametrize("mode", [StreamingMode.NONE, StreamingMode.SSE])
async def test_an_api_error_is_shown_with_its_code_and_the_next_step(
    api: Emulator, mode: StreamingMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "secret-of-mine")
    app = build_app()
    for fault, code, hints, requests in ERRORS:
        talk, before = Talk(app, InMemorySessionService(), mode), len(api.log()["requests"])
        api.faults({"on": "create", "times": 0, **fault})
        event = (await talk.say("hello"))[-1]
        assert event.error_code == code, fault
        for hint in hints:
            assert hint in words(event), fault
        assert "secret-of-mine" not in str(event), fault
        assert len(api.log()["requests"]) - before == requests, fault
        api.faults()
        assert "SMALL TALK" in words((await talk.say("hello"))[-1]), fault


async def test_a_busy_server_is_retried_and_only_the_answer_is_shown(api: Emulator) -> None:
    talk = Talk(build_app(), InMemorySessionService(), StreamingMode.SSE)
    api.faults({"on": "create", "status": 503, "retry_after_ms": 1, "times": 2})
    assert await talk.ask("hello") == "SMALL TALK"
    assert [r["status"] for r in api.log()["requests"]] == [503, 503, 200]


async def test_a_cut_stream_is_reported_as_an_error(api: Emulator) -> None:
    talk = Talk(build_app(), InMemorySessionService(), StreamingMode.SSE)
    api.faults({"on": "create_stream", "end_after": 4})
    assert (await talk.say("hello"))[-1].error_code == "STREAM_CUT"
    assert "SMALL TALK" in words((await talk.say("hello"))[-1])
