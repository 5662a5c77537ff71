"""The settings of `generate_content_config` are sent to the API."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.models import interactions_utils
from google.genai import types

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Ending
from tests.capabilities.conftest import Script, Solo
from tests.scripts import call, cited, said, thought
from tests.talk import creates, refusals
from tools.adk.generation_config import SUPPORTED_KEYS, arguments_of

SETTINGS = """
generate_content_config:
  max_output_tokens: 100
  stop_sequences: [END]
  seed: 7
  temperature: 0.2
  top_p: 0.9
  thinking_config: {thinking_level: low, include_thoughts: true}
  tool_config: {function_calling_config: {mode: any, allowed_function_names: [get_weather]}}
  response_modalities: [TEXT]
  safety_settings: [{category: HARM_CATEGORY_HARASSMENT, threshold: BLOCK_ONLY_HIGH}]
  labels: {team: desk}
  service_tier: flex
  store: true
tools: [{name: tools.weather.get_weather}]
"""


async def test_every_generation_setting_is_sent_to_the_api(api: Emulator, solo: Solo) -> None:
    await solo(SETTINGS).say("hello")
    body = creates(api)[0]
    assert body["generation_config"] == {
        "max_output_tokens": 100,
        "stop_sequences": ["END"],
        "seed": 7,
        "temperature": 0.2,
        "top_p": 0.9,
        "thinking_level": "low",
        "thinking_summaries": "auto",
        "tool_choice": {"allowed_tools": {"mode": "any", "tools": ["get_weather"]}},
    }
    assert body["response_modalities"] == ["text"]
    assert body["safety_settings"] == [{"type": "harassment", "threshold": "block_only_high"}]
    assert body["labels"] == {"team": "desk", "adk_agent_name": "solo"}
    assert body["service_tier"] == "flex"
    assert body["store"] is True
    assert refusals(api) == []


def test_every_setting_allowed_in_yaml_is_sent_by_adk_or_by_the_desk() -> None:
    by_adk = {"max_output_tokens", "stop_sequences", "seed", "temperature", "top_p"}
    whole = types.GenerateContentConfig.model_validate(
        {
            "thinking_config": {"thinking_level": "LOW"},
            "tool_config": {"function_calling_config": {"mode": "NONE"}},
            "response_modalities": ["TEXT", "IMAGE"],
            "image_config": {"aspect_ratio": "16:9", "image_size": "2K"},
            "safety_settings": [{"category": "HARM_CATEGORY_JAILBREAK", "threshold": "OFF"}],
            "labels": {"a": "b"},
            "top_k": 3,
            "service_tier": "priority",
            "store": False,
        }
    )
    for key in SUPPORTED_KEYS - by_adk - {"service_tier"}:  # ADK itself sends the service tier
        without = whole.model_copy(update={key: None})
        assert arguments_of(without) != arguments_of(whole), key
    assert interactions_utils.build_generation_config(types.GenerateContentConfig(**dict.fromkeys(by_adk))) == {}


@pytest.mark.parametrize(
    ("mode", "choice"), [("AUTO", "auto"), ("ANY", "any"), ("NONE", "none"), ("VALIDATED", "validated")]
)
def test_the_tool_choice_mode_is_sent_in_lower_case(mode: str, choice: str) -> None:
    config = types.GenerateContentConfig.model_validate({"tool_config": {"function_calling_config": {"mode": mode}}})
    assert arguments_of(config) == {"generation_config": {"tool_choice": choice}}


async def test_thoughts_are_streamed_but_not_part_of_the_answer(script: Script, solo: Solo) -> None:
    script.answers = [[thought("Let me think."), said("Four.")]]
    yaml = "generate_content_config: {thinking_config: {include_thoughts: true}}\n"
    events = [event async for event in solo(yaml, StreamingMode.SSE).events("two and two?")]
    shown = [part for e in events if e.partial for part in (e.content and e.content.parts) or ()]
    assert [part.text for part in shown if part.thought] == ["Let me think."]
    assert [part.text for part in (events[-1].content and events[-1].content.parts) or () if part.text] == ["Four."]


async def test_a_deferred_answer_is_waited_for_and_cited_like_any_other(
    api: Emulator, script: Script, solo: Solo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.adk.deferred_tier.FIRST_POLL_S", 0)
    script.answers = [[{"type": "model_output", "content": [cited("Bees fly. They do.", "Bees fly.")]}]]
    talk = solo()
    talk.config = RunConfig(service_tier="deferred")
    text = await talk.ask("do bees fly?")
    assert text.startswith(r"Bees fly.[\[1\]](https://example.org/moon")
    assert "**Sources**" in text
    body = creates(api)[0]
    assert (body["service_tier"], body["background"]) == ("deferred", True)
    assert not body.get("stream")


@pytest.mark.parametrize("status", [404, 503])
async def test_a_deferred_request_is_not_sent_again_when_its_answer_cannot_be_read(
    api: Emulator, script: Script, solo: Solo, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr("tools.adk.deferred_tier.FIRST_POLL_S", 0)
    script.answers = [[said("Bees fly.")]] * 2
    api.faults({"on": "get", "status": status, "times": 0})
    talk = solo()
    await talk.ask("hello")
    talk.config = RunConfig(service_tier="deferred")
    assert "cannot be read" in await talk.ask("do bees fly?")
    assert len(creates(api)) == 2


async def test_an_answer_in_several_interactions_is_joined_with_its_citations_in_place(
    api: Emulator, script: Script, solo: Solo
) -> None:
    first: dict[str, Any] = {"type": "model_output", "content": [cited("Bees fly. So they say.", "Bees fly.")]}
    second: dict[str, Any] = {"type": "model_output", "content": [cited("Wasps do. Too.", "Wasps do.")]}
    script.answers = [[first, Ending("requires_continuation"), second]] * 2  # one for each interaction
    talk = solo()
    text = await talk.ask("who flies?")
    assert r"Bees fly.[\[1\]](" in text
    assert r"Wasps do.[\[1\]](" in text
    assert text.count("Bees fly.") == 1
    assert await talk.ask("and now?")
    assert creates(api)[-1]["previous_interaction_id"] == api.log()["requests"][-2]["interaction_id"]
    assert refusals(api) == []


async def test_a_function_call_with_unreadable_arguments_is_an_error_and_calls_nothing(
    api: Emulator, script: Script, solo: Solo, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.answers = [[call("get_weather", "fc_1", place="Oslo")]]

    def unreadable(text: str) -> Any:
        raise json.JSONDecodeError("cut", text, 0)

    # A server sends valid JSON, but a stream that is cut may end in the middle of the arguments.
    broken = SimpleNamespace(loads=unreadable, dumps=json.dumps, JSONDecodeError=json.JSONDecodeError)
    monkeypatch.setattr(interactions_utils, "json", broken)
    event = (await solo("tools: [{name: tools.weather.get_weather}]\n").say("weather in Oslo"))[-1]
    assert event.error_code == "JSON_PARSE_ERROR"
    assert len(creates(api)) == 1
